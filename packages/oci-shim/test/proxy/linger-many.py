"""Sends many descriptors whose close blocks, one with each message: SO_LINGER, and data that nobody reads.

linger-many.py <socket path> <how many>

Prints "sent" when all are sent; a receiver that takes no more makes it wait. A line of its input lets them all end.
"""

import os
import socket
import struct
import sys
import threading
import time

count = int(sys.argv[2])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
listener.bind(("127.0.0.1", 0))
listener.listen(count)
peers = []


def let_end():
    if not sys.stdin.readline():
        # The test has ended before it came to that.
        os._exit(1)
    while True:
        for peer in list(peers):
            try:
                while peer.recv(65536):
                    pass
            except BlockingIOError:
                pass
        time.sleep(0.005)


threading.Thread(target=let_end, daemon=True).start()
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect(sys.argv[1])


def send(number):
    lingering = socket.create_connection(listener.getsockname())
    peer, _ = listener.accept()
    peer.setblocking(False)
    lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    lingering.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    lingering.setblocking(False)
    try:
        while True:
            lingering.send(b"x" * 65536)
    except BlockingIOError:
        pass
    peers.append(peer)
    socket.send_fds(sender, [b"ERRNO=%d" % number], [lingering.fileno()])
    # The receiver may have been quicker, and then it is this close that blocks.
    lingering.close()


threads = [threading.Thread(target=send, args=[number]) for number in range(count)]
for thread in threads:
    thread.start()
    thread.join(0.2)
for thread in threads:
    thread.join()
print("sent", flush=True)
threading.Event().wait()
