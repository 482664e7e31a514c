"""A payload that means harm to its bridge, the service manager and its neighbours.

    python3 hostile.py SECONDS SEED [ATTACK...]

Does all that is below at once, or only what is named, each in a process of its own. At the end it prints `hostile: over` and how many messages each has
sent, and how many the kernel has refused. It never pings the watchdog, nor ends its own unit, which any payload can do.
"""

import array
import errno
import json
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time

SCM_CREDENTIALS = 2
MOST_FDS = 253
# Longer than anybody who looks on waits: whoever closes such a socket himself is seen to stand still.
LINGER_SECONDS = 60
# The bridge closes on 32 threads. What is more makes the messages of this container wait, and no others.
MOST_LINGERING = 16
MOST_NESTED = 8

FIELDS = [
    *["READY=1", "STATUS=", "ERRNO=", "BUSERROR=", "VARLINKERROR=", "EXIT_STATUS=", "MAINPID=", "MAINPIDFD=1"],
    *["MAINPIDFDID=", "NOTIFYACCESS=", "FDSTORE=1", "FDSTOREREMOVE=1", "FDNAME=", "FDPOLL=0", "BARRIER=1"],
    *["MONOTONIC_USEC=", "EXTEND_TIMEOUT_USEC=", "X_HARM=", "READY=0", "ready=1", "=", "A", "\\", "INVOCATION_ID="],
]
VALUES = [
    *["", "0", "1", "-1", "18446744073709551616", "9" * 400, "all", "none", "1\\n2", "\\", '"', "\x1b[2J", "%s%n"],
    *["../..", ":", "a:b", "\U0001f600", "\u202e", "x" * 300, "y" * 5000],
]
# A payload that says this ends its own unit, or keeps it alive.
OWN_END = re.compile(rb"STOPPING=1|RELOADING=1|WATCHDOG")
PASSING = (errno.EMFILE, errno.ENFILE, errno.ETOOMANYREFS, errno.EAGAIN, errno.ENOMEM)


class Attack:
    """One kind of harm."""

    def __init__(self, name, action, uid=0):
        self.name = name
        self.action = action
        # The kernel counts descriptors on their way by user: each of its own, and none as root, whose are others' too.
        self.uid = uid
        # All its processes add to these.
        self.sent = os.eventfd(0, os.EFD_NONBLOCK)
        self.refused = os.eventfd(0, os.EFD_NONBLOCK)

    def start(self, end, seed):
        """Starts it as a process group; its number."""
        pid = os.fork()
        if pid > 0:
            return pid
        os.setpgid(0, 0)
        become(self.uid)
        dice = random.Random(f"{seed} {self.name}")
        while time.monotonic() < end:
            try:
                self.action(self, dice, end)
            except OSError as error:
                # It starts anew; what it had open is closed.
                if error.errno not in PASSING:
                    print(f"hostile: {self.name}: {error}", flush=True)
                time.sleep(0.01)
        os._exit(0)

    def send(self, sender, data, fds=(), credentials=None):
        control = []
        if credentials is not None:
            control.append((socket.SOL_SOCKET, SCM_CREDENTIALS, struct.pack("iII", *credentials)))
        if fds:
            control.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds)))
        try:
            sender.sendmsg([data], control)
            os.eventfd_write(self.sent, 1)
        except OSError:
            os.eventfd_write(self.refused, 1)

    def result(self):
        return {"sent": value_of(self.sent), "refused": value_of(self.refused)}


def value_of(counter):
    try:
        return os.eventfd_read(counter)
    except BlockingIOError:
        return 0


def become(uid):
    if uid == 0:
        return
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def connected():
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sender.settimeout(1)
    sender.connect(os.environ["NOTIFY_SOCKET"])
    return sender


def apart(action):
    """Does it in a process of its own, which ends then, whatever happens."""
    if os.fork() == 0:
        try:
            action()
        finally:
            os._exit(0)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


# What is sent.


def fuzz(attack, dice, end):
    """Messages that are nearly right, and ones that are not at all, with anything beside them."""
    with connected() as sender, Kinds() as kinds:
        while time.monotonic() < end:
            fds = kinds.some(dice, dice.choice([0, 0, 0, 1, 1, 2, 5, MOST_FDS]))
            attack.send(sender, message(dice), fds)


def message(dice):
    while True:
        data = dice.choice([lines, lines, lines, mutated, noise, longest])(dice)
        if not OWN_END.search(data):
            return data


def lines(dice):
    each = [dice.choice(FIELDS) + dice.choice(VALUES) * dice.randrange(2) for _ in range(dice.randrange(6))]
    return dice.choice(["\n", "\n", "\n", "\r\n", "\n\n", "\0"]).join(each).encode()


def mutated(dice):
    data = bytearray(lines(dice) or b"READY=1")
    for _ in range(dice.randrange(1, 8)):
        data[dice.randrange(len(data))] = dice.choice([0, 10, 61, 92, 128, 192, 255, dice.randrange(256)])
    return bytes(data)


def noise(dice):
    return dice.randbytes(dice.choice([0, 1, 7, 4095, 4096, 4097, dice.randrange(70_000)]))


def longest(dice):
    length = dice.choice([4097, 65_536, 65_537, 200_000])
    return (b"\n".join(lines(dice) for _ in range(20)) * (length // 1000))[:length]


def flood(attack, dice, end):
    """As many as the kernel takes: the least work for the bridge, and the most."""
    texts = [b"STATUS=%d" % dice.randrange(1000), b"ERRNO=1", b"READY=1\nSTATUS=flood", b"X_A=1\n" * 600]
    with connected() as sender:
        while time.monotonic() < end:
            text = dice.choice(texts)
            for _ in range(1000):
                attack.send(sender, text)


# Descriptors.


class Kinds:
    """Descriptors of every kind that a payload can make without privileges."""

    def __enter__(self):
        self.pollers = [select.epoll(), select.epoll()]
        self.fds = []
        for name in dir(self):
            if name.startswith("make_"):
                try:
                    for fd in getattr(self, name)():
                        self.fds.append(fd)
                except (OSError, AttributeError):
                    # This Python, this kernel, this user or the container's filter of system calls does not have it.
                    pass
        return self

    def __exit__(self, *_):
        for fd in self.fds:
            os.close(fd)
        for poller in self.pollers:
            poller.close()

    def some(self, dice, count):
        return [dice.choice(self.fds) for _ in range(count)]

    def make_paths(self):
        return (os.open(path, os.O_PATH) for path in ("/", "/proc/self", "/dev/null"))

    def make_files(self):
        names = ["/", "/etc/passwd", "/dev/zero", "/dev/full", "/dev/null", "/proc/self/maps", "/proc/self/mem"]
        return (os.open(path, os.O_RDONLY) for path in names)

    def make_pipes(self):
        fifo = f"/tmp/fifo-{os.getpid()}"
        os.mkfifo(fifo)
        both_ways = os.open(fifo, os.O_RDWR)
        os.unlink(fifo)
        return [*os.pipe(), both_ways]

    def make_unix_sockets(self):
        kinds = [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET]
        return [each.detach() for kind in kinds for each in socket.socketpair(socket.AF_UNIX, kind)]

    def make_internet_sockets(self):
        kinds = [socket.SOCK_STREAM, socket.SOCK_DGRAM]
        return (socket.socket(family, kind).detach() for family in (socket.AF_INET, socket.AF_INET6) for kind in kinds)

    def make_netlink(self):
        return [socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).detach()]

    def make_sender(self):
        return [connected().detach()]

    def make_events(self):
        return [os.eventfd(0)]

    def make_timers(self):
        return [os.timerfd_create(time.CLOCK_MONOTONIC)]

    def make_memory(self):
        return [os.memfd_create("harm")]

    def make_pollers(self):
        inner, outer = self.pollers
        outer.register(inner.fileno())
        return [os.dup(inner.fileno()), os.dup(outer.fileno())]

    def make_terminals(self):
        return list(os.openpty())

    def make_pidfds(self):
        child = os.fork()
        if child == 0:
            os._exit(0)
        ended = os.pidfd_open(child)
        os.waitpid(child, 0)
        return [os.pidfd_open(os.getpid()), ended]

    def make_namespaces(self):
        return (os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("pid", "user", "mnt", "net"))


def many_fds(attack, dice, end):
    """253 at once, the most that go."""
    texts = [b"BARRIER=1", b"FDSTORE=1\nFDNAME=many", b"FDSTORE=1\nFDPOLL=0", b"FDSTOREREMOVE=1\nFDNAME=many"]
    texts += [b"MAINPIDFD=1", b"", b"STATUS=many"]
    with connected() as sender, Kinds() as kinds:
        while time.monotonic() < end:
            attack.send(sender, dice.choice(texts), kinds.some(dice, MOST_FDS))


def barriers_without_end(attack, dice, end):
    """Barriers whose other end stays open, with a pipe that is full at times."""
    with connected() as sender:
        kept = []
        while time.monotonic() < end:
            reader, writer = os.pipe()
            if dice.random() < 0.5:
                os.set_blocking(writer, False)
                os.write(writer, bytes(65_536))
            text = dice.choice([b"BARRIER=1", b"BARRIER=1", b"BARRIER=1\nREADY=1"])
            attack.send(sender, text, [dice.choice([reader, writer])])
            kept += [reader, writer]
            if len(kept) > 600:
                for fd in kept:
                    os.close(fd)
                kept.clear()


def slow_part(attack, dice, end):
    """Barriers that somebody waits for, and looks at late."""
    while time.monotonic() < end:
        with connected() as sender:
            pipes = [os.pipe() for _ in range(dice.randrange(1, 30))]
            for _, writer in pipes:
                attack.send(sender, b"BARRIER=1", [writer])
                os.close(writer)
            time.sleep(dice.random())
            for reader, _ in pipes:
                os.close(reader)


def linger(attack, dice, end):
    """The last descriptor of a connection whose close waits for data to be read, which happens slowly or not at all."""
    texts = [b"BARRIER=1", b"BARRIER=1", b"BARRIER=1\nREADY=1", b"FDSTORE=1\nFDNAME=linger", b"ERRNO=3", b"MAINPIDFD=1", b""]
    peers = []
    with listener() as accepting:
        while time.monotonic() < end:
            # The close of a process that ends waits for nothing: it is the receiver's that has to.
            apart(lambda: send_last(attack, dice.choice(texts), lingering(accepting)))
            dice.random()
            keep(dice, peers, accepting.accept()[0], MOST_LINGERING)
            for peer in peers:
                if dice.random() < 0.1:
                    read_one(peer)
            reap()


def send_last(attack, text, full):
    with connected() as sender:
        attack.send(sender, text, [full.detach()])


def nested(attack, dice, end):
    """Sockets with descriptors in their queues: one whose close waits, and they themselves."""
    peers = []
    with listener() as accepting, connected() as sender:
        while time.monotonic() < end:
            outer, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            with outer, inner, lingering(accepting) as hidden:
                keep(dice, peers, accepting.accept()[0], MOST_NESTED)
                socket.send_fds(inner, [b"x"], [hidden.fileno(), inner.fileno(), outer.fileno()])
                attack.send(sender, dice.choice([b"BARRIER=1", b"ERRNO=2", b"FDSTORE=1"]), [outer.fileno()])
            time.sleep(0.01)


def listener():
    accepting = socket.socket()
    accepting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    accepting.bind(("127.0.0.1", 0))
    accepting.listen()
    accepting.settimeout(1)
    return accepting


def lingering(accepting):
    """A connection to it that is full."""
    full = socket.create_connection(accepting.getsockname())
    full.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER_SECONDS))
    full.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    full.setblocking(False)
    try:
        while True:
            full.send(b"x" * 65_536)
    except BlockingIOError:
        return full


def keep(dice, peers, peer, most):
    """Each makes somebody wait for as long as it is kept: with it the unread data goes. Half of them stay to the end."""
    peer.setblocking(False)
    peers.append(peer)
    if len(peers) > most:
        peers.pop(dice.randrange(most // 2, most)).close()


def read_one(peer):
    try:
        peer.recv(1)
    except (BlockingIOError, ConnectionResetError):
        pass


# Senders.


def many_sockets(attack, dice, end):
    """Hundreds of sockets that never wait."""
    with Sockets(900) as senders:
        while time.monotonic() < end:
            attack.send(dice.choice(senders), message(dice)[:4000])


class Sockets(list):
    def __init__(self, count):
        super().__init__(connected() for _ in range(count))
        for sender in self:
            sender.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sender in self:
            sender.close()


def short_lives(attack, dice, end):
    """Processes that have ended when their message is read."""
    while time.monotonic() < end:
        text = message(dice)
        for _ in range(20):
            apart(lambda: send_alone(attack, text))
        for _ in range(20):
            os.wait()


def send_alone(attack, text):
    with connected() as sender:
        attack.send(sender, text)


def users(attack, dice, end):
    """As other users, and with credentials of others, which the kernel lets nobody claim who may not be them."""
    while time.monotonic() < end:
        uid = dice.choice([1, 33, 65_534, 4_000_000_000, dice.randrange(1 << 31)])
        text = message(dice)[:4000]
        apart(lambda: send_as(attack, uid, text))
        os.wait()


def send_as(attack, uid, text):
    parent = os.getppid()
    become(uid)
    own = (os.getpid(), uid, uid)
    forged = [(os.getpid(), 0, 0), (1, uid, uid), (0, 0, 0), (-1, uid, uid), (parent, uid, uid), (1 << 30, 0, 0)]
    with connected() as sender:
        for credentials in [own, *forged]:
            attack.send(sender, text, credentials=credentials)


def namespaces(attack, dice, end):
    """As root of user and pid namespaces of its own, one in the other, who may claim to be any process there."""
    unshare = ["busybox", "unshare", "-U", "-r", "-p", "-m", "-f"]
    while time.monotonic() < end:
        for depth in (1, 2):
            argv = [*unshare * depth, sys.executable, __file__, "inside", str(dice.randrange(1 << 30))]
            done = subprocess.run(argv, capture_output=True, check=True)
            sent, refused = (int(word) for word in done.stdout.split())
            os.eventfd_write(attack.sent, sent)
            os.eventfd_write(attack.refused, refused)


def inside_namespaces(seed):
    """Prints how many were sent, and how many were refused."""
    dice = random.Random(seed)
    attack = Attack("inside", None)
    texts = [b"MAINPID=1\nREADY=1", b"MAINPID=2", b"MAINPIDFD=1", b"NOTIFYACCESS=all", b"ERRNO=4"]
    with connected() as sender, Kinds() as kinds:
        for _ in range(50):
            credentials = dice.choice([None, (1, 0, 0), (os.getpid(), 0, 0), (2, 0, 0), (1, 65_534, 65_534), (77, 0, 0)])
            attack.send(sender, dice.choice([*texts, message(dice)]), kinds.some(dice, dice.randrange(3)), credentials)
            apart(lambda: send_alone(attack, dice.choice(texts)))
            os.wait()
    print(*attack.result().values())


ATTACKS = [
    *[Attack("fuzz", fuzz, 4001), Attack("more fuzz", fuzz, 4002), Attack("flood", flood), Attack("more flood", flood)],
    *[Attack("253 descriptors", many_fds, 4003), Attack("barriers without end", barriers_without_end, 4004)],
    *[Attack("slow part", slow_part, 4005), Attack("linger", linger, 4006), Attack("nested", nested, 4007)],
    *[Attack("many sockets", many_sockets), Attack("more sockets", many_sockets), Attack("short lives", short_lives)],
    *[Attack("users", users), Attack("namespaces", namespaces, 4008)],
]


def main(seconds, seed, names):
    attacks = [attack for attack in ATTACKS if not names or attack.name in names]
    end = time.monotonic() + seconds
    pids = [attack.start(end, seed) for attack in attacks]
    # Some are in the middle of something, or wait for the bridge.
    time.sleep(seconds + 2)
    for pid in pids:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print("hostile: over", json.dumps({attack.name: attack.result() for attack in attacks}), flush=True)


if sys.argv[1] == "inside":
    inside_namespaces(int(sys.argv[2]))
else:
    main(float(sys.argv[1]), sys.argv[2], sys.argv[3:])
