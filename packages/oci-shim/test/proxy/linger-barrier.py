"""Sends BARRIER=1 with the only descriptor of a TCP connection whose close blocks: SO_LINGER, and data that nobody reads.

linger-barrier.py <socket path> [message [how many other descriptors go with it]]

Prints "sent" when its own copy is closed: only the last close blocks. Then waits for a line, reads the connection, so
that the close can end, and prints "end" when the end has come through.
"""

import socket
import struct
import sys

path, message, others = [*sys.argv[1:], *["BARRIER=1", 0][len(sys.argv) - 2 :]]
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
listener.bind(("127.0.0.1", 0))
listener.listen()
lingering = socket.create_connection(listener.getsockname())
peer, _ = listener.accept()
lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
lingering.setblocking(False)
try:
    while True:
        lingering.send(b"x" * 65536)
except BlockingIOError:
    pass

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
    sender.connect(path)
    socket.send_fds(sender, [message.encode()], [0] * int(others) + [lingering.fileno()])
lingering.close()
print("sent", flush=True)
sys.stdin.readline()
while peer.recv(65536):
    pass
print("end", flush=True)
