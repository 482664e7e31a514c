"""Sends BARRIER=1 with the only descriptor of a TCP connection whose close blocks: SO_LINGER, and data that nobody reads.

linger-barrier.py <socket path>

Prints "sent" when its own copy is closed: only the last close blocks. Then waits for a line, reads the connection, so
that the close can end, and prints "end" when the end has come through.
"""

import socket
import struct
import sys

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
    sender.connect(sys.argv[1])
    socket.send_fds(sender, [b"BARRIER=1"], [lingering.fileno()])
lingering.close()
print("sent", flush=True)
sys.stdin.readline()
while peer.recv(65536):
    pass
print("end", flush=True)
