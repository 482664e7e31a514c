"""Sends numbered messages as many containers do, each from a socket of its own: READY=1 with the first one.

send-rounds.py PATTERN FIRST LAST blocking|polling

PATTERN with a number for its {} is the path of a container's socket. For each line of its input, every container sends one message with the next number,
and is through with it when this says so. Where there is no room, it waits in the kernel, or tries again later.
"""

import socket
import sys
import time

pattern, first, last, mode = sys.argv[1:]


def connected(number):
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(pattern.replace("{}", str(number)))
    sender.setblocking(mode == "blocking")
    return sender


def try_send(sender, text):
    try:
        sender.send(text.encode())
        return True
    except BlockingIOError:
        return False


senders = {number: connected(number) for number in range(int(first), int(last) + 1)}
for count, _ in enumerate(sys.stdin, 1):
    for number, sender in senders.items():
        text = f"STATUS={number} {count}" if count > 1 else f"READY=1\nSTATUS={number} {count}"
        while not try_send(sender, text):
            time.sleep(0.001)
    print(count, flush=True)
