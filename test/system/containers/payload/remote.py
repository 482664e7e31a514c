"""A program that does what a test says, when it says so: see ../payload.ts for the other side.

    python3 remote.py NAME [SOCKET]

It knows the C library's calls and nothing of sdbridge, so what it sends are the bytes that the test names. It runs as
a container's payload, and beside containers as the receiver of notifications.
"""

import array
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

# Next to this file nothing is to be left.
sys.dont_write_bytecode = True
from stream import Stream

# As the first process of a container it gets no signal that it does not ask for.
SIGNALS = ["SIGTERM", "SIGQUIT", "SIGINT", "SIGHUP", "SIGUSR2", "SIGABRT", "SIGRTMIN+3"]


class Remote:
    def __init__(self, name, address):
        self.files = {}
        self.barriers = {}
        self.receiver = None
        self.outlived = []
        self.stream = None
        self.telling = threading.RLock()
        self.test = socket.socket(socket.AF_UNIX)
        self.test.connect(address)
        self.tell({"name": name, "pid": os.getpid(), "uid": os.getuid()})
        for signal_name in SIGNALS:
            signal.signal(number_of(signal_name), self.take_signal)

    def serve(self):
        for line in self.test.makefile("r", encoding="utf-8"):
            request = json.loads(line)
            try:
                value = getattr(self, request["verb"])(**request["arguments"])
                self.tell({"id": request["id"], "value": value})
            except Exception as error:
                code = getattr(error, "errno", None)
                text = f"{type(error).__name__}: {error}"
                self.tell({"id": request["id"], "error": text, "code": errno.errorcode.get(code)})

    def tell(self, message):
        line = json.dumps(message).encode() + b"\n"
        with self.telling:
            self.test.sendall(line)

    def take_signal(self, number, _frame):
        name = next(name for name in SIGNALS if number_of(name) == number)
        self.tell({"signal": name})
        if name not in self.outlived:
            os._exit(0)

    # What it sends.

    def send(self, text, files, count, close, address):
        """Sends count times the same; each character is one byte."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            # As libsystemd does it: a datagram may be as long as the kernel lets it be.
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
            sender.connect(socket_address(address or os.environ["NOTIFY_SOCKET"]))
            fds = array.array("i", [self.files[name] for name in files])
            control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if files else []
            try:
                for _ in range(count):
                    sender.sendmsg([text.encode("latin-1")], control)
            finally:
                for name in files if close else []:
                    os.close(self.files.pop(name))

    def send_barrier(self, name, text):
        if name in self.barriers:
            os.close(self.barriers[name])
        read_end, write_end = os.pipe()
        self.files["barrier"] = write_end
        self.barriers[name] = read_end
        self.send(text, ["barrier"], 1, True, None)

    def is_released(self, name, timeout_ms):
        """Whether nobody holds the barrier any more, waiting so long for it."""
        poll = select.poll()
        poll.register(self.barriers[name], 0)
        return len(poll.poll(timeout_ms)) > 0

    def flood_until_full(self, text, most):
        """Sends without waiting so many times, or until the socket takes no more; how many it took."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(socket_address(os.environ["NOTIFY_SOCKET"]))
            for count in range(most):
                try:
                    sender.send(text.encode("latin-1"))
                except BlockingIOError:
                    return count
            return most

    def start_stream(self, pause_ms):
        self.stream = Stream(self.tell, pause_ms)
        self.stream.start()

    def finish_stream(self):
        return self.stream.finish()

    # Descriptors.

    def open_memory(self, name, content):
        self.files[name] = os.memfd_create(name)
        os.write(self.files[name], content.encode())

    def open_pipe(self, reader, writer):
        self.files[reader], self.files[writer] = os.pipe()

    def open_socket(self, name):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"\0{name}-{os.getpid()}-{os.urandom(4).hex()}")
        listener.listen()
        self.files[name] = listener.detach()

    def close_file(self, name):
        os.close(self.files.pop(name))

    def hangs_up(self, name, timeout_ms):
        """Whether the other end of a pipe is gone."""
        poll = select.poll()
        poll.register(self.files[name], 0)
        return len(poll.poll(timeout_ms)) > 0

    def listen_fds(self):
        """What sd_listen_fds_with_names(3) would find, and what is in it."""
        if os.environ.get("LISTEN_PID") != str(os.getpid()):
            return []
        count = int(os.environ["LISTEN_FDS"])
        names = os.environ.get("LISTEN_FDNAMES", ":".join(["unknown"] * count)).split(":")
        return [{"name": name, "content": content_of(fd)} for fd, name in enumerate(names, 3)]

    def serve_one(self, fd, answer):
        """Takes one connection at a socket that was passed, and answers it."""
        with socket.socket(fileno=os.dup(fd)) as listener:
            listener.setblocking(True)
            connection, _ = listener.accept()
            with connection:
                question = connection.recv(1000)
                connection.sendall(answer.encode())
                return question.decode()

    def open_fds(self):
        return sorted(int(name) for name in os.listdir("/proc/self/fd"))

    # What it is and does.

    def environment(self):
        return dict(os.environ)

    def read_file(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def list_folder(self, path):
        return sorted(os.listdir(path))

    def limits_and_signals(self):
        limits = line_of("/proc/self/limits", "Max open files").split()
        return {
            "files": [int(limits[3]), int(limits[4])],
            "ignored": line_of("/proc/self/status", "SigIgn:").split()[1],
        }

    def run(self, argv, env, stdin):
        """Runs a program to its end."""
        done = subprocess.run(argv, env={**os.environ, **env}, input=stdin.encode(), capture_output=True, check=False)
        return {"code": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}

    def start(self, argv):
        """Starts a program that goes on; its pid."""
        return subprocess.Popen(argv).pid

    def sleep(self, ms):
        time.sleep(ms / 1000)

    def ping(self, text, count, interval_ms):
        """Sends the same so many times, with such pauses before."""
        for _ in range(count):
            time.sleep(interval_ms / 1000)
            self.send(text, [], 1, False, None)

    def monotonic_usec(self):
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    def write(self, text, to):
        os.write(to, text.encode())

    def outlive(self, signals):
        """From now on these signals are told and nothing more."""
        self.outlived = signals

    def exit(self, code):
        os._exit(code)

    def die(self, by):
        """By a signal. The first process of a pid namespace cannot do that to itself."""
        if by != "SIGKILL":
            signal.signal(number_of(by), signal.SIG_DFL)
        os.kill(os.getpid(), number_of(by))

    # As a receiver.

    def bind(self, address):
        self.receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver.bind(socket_address(address))
        if address[0] != "@":
            os.chmod(address, 0o666)

    def receive(self, timeout_ms):
        """One datagram, its descriptors closed at once; none if there is none in that time."""
        if not select.select([self.receiver], [], [], timeout_ms / 1000)[0]:
            return None
        data, fds, _, _ = socket.recv_fds(self.receiver, 1 << 18, 253)
        for fd in fds:
            os.close(fd)
        return {"text": data.decode("latin-1"), "files": len(fds)}


def socket_address(text):
    if text[0] == "@":
        return "\0" + text[1:]
    if len(text) < 108:
        return text
    # Longer than an address can be.
    folder = os.open(os.path.dirname(text), os.O_PATH)
    return f"/proc/self/fd/{folder}/{os.path.basename(text)}"


def number_of(name):
    return signal.SIGRTMIN + 3 if name == "SIGRTMIN+3" else getattr(signal, name)


def line_of(path, start):
    with open(path, encoding="utf-8") as file:
        return next(line for line in file if line.startswith(start))


def content_of(fd):
    try:
        return os.pread(fd, 10000, 0).decode()
    except OSError:
        return os.readlink(f"/proc/self/fd/{fd}").split(":")[0]


name, address = (sys.argv[1:] + ["/control/socket"])[:2]
Remote(name, address).serve()
