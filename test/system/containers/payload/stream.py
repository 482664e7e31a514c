"""Numbered messages, one after the other, some with a descriptor, some followed by a barrier: see ../message-stream.ts.

A thread of remote.py, which tells each message that was sent and each barrier that was released as soon as it knows: a
container that is killed has told all that it has done, but for the last message.
"""

import array
import os
import select
import socket
import threading

# The kinds of message are those that the bridge deals with in different ways.
EVERY = 10
WITH_DESCRIPTOR = 5
BEFORE_BARRIER = 0
SHORT = (1, 2, 3, 6, 7)


class Stream(threading.Thread):
    def __init__(self, tell, pause_ms):
        super().__init__(daemon=True)
        self.tell = tell
        self.pause_ms = pause_ms
        self.sent = 0
        # The read end of each barrier, and the last message in front of it.
        self.barriers = {}
        # Released, but perhaps by the end of the bridge: what is sent next shows it.
        self.released = 0
        self.poll = select.poll()
        self.is_to_end = threading.Event()
        self.sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # As libsystemd does it: else its own buffer is full before the queue of the one who reads.
        self.sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        self.sender.connect(os.environ["NOTIFY_SOCKET"])

    def run(self):
        try:
            # Waiting is what the pause is for.
            while not self.is_to_end.wait(self.pause_ms / 1000 if self.pause_ms else 0):
                self.send_next()
                self.look_for_released(0)
            self.send_barrier()
            while self.barriers:
                self.look_for_released(None)
            self.tell({"stream": {"released": self.released}})
        except OSError as error:
            self.tell({"stream": {"error": str(error)}})

    def finish(self):
        """Ends it with a barrier, and waits until that is released; how many messages it sent."""
        self.is_to_end.set()
        self.join()
        return self.sent

    def send_next(self):
        number = self.sent + 1
        kind = number % EVERY
        if kind == WITH_DESCRIPTOR:
            memory = os.memfd_create(f"number-{number}")
            self.send(f"FDSTORE=1\nFDNAME=number-{number}\nX_NUMBER={number}", memory)
            os.close(memory)
        elif kind in SHORT:
            # A lone status would give way to a later one.
            self.send(f"WATCHDOG=1\nSTATUS={number}")
        else:
            self.send(f"X_NUMBER={number}")
        self.sent = number
        self.tell({"stream": {"sent": number, "released": self.released}})
        if kind == BEFORE_BARRIER:
            self.send_barrier()

    def send_barrier(self):
        read_end, write_end = os.pipe()
        self.barriers[read_end] = self.sent
        self.poll.register(read_end, 0)
        self.send("BARRIER=1", write_end)
        os.close(write_end)

    def send(self, text, *fds):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sender.sendmsg([text.encode()], control)

    def look_for_released(self, timeout_ms):
        for read_end, _ in self.poll.poll(timeout_ms):
            self.poll.unregister(read_end)
            os.close(read_end)
            # Several at once come in any order.
            self.released = max(self.released, self.barriers.pop(read_end))
