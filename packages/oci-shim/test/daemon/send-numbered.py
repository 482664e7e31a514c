"""Sends numbered messages as many containers do, each from a socket of its own.

send-numbered.py PATTERN FIRST LAST blocking|polling PAUSE

PATTERN with a number for its {} is the path of a container's socket. Every PAUSE seconds each sends one; where there is no room, it waits in the kernel, or
tries again later. When its input ends, it finishes the round and says the last number.
"""

import os
import select
import socket
import sys
import time

pattern, first, last, mode, pause = sys.argv[1:]
numbers = range(int(first), int(last) + 1)
null = os.open("/dev/null", os.O_RDONLY)


def connected(path):
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(path)
    sender.setblocking(mode == "blocking")
    return sender


def message(number, count):
    """Most go on as they are; some have to be read; and some bring a descriptor along."""
    if (number + count) % 50 == 0:
        return f"FDSTORE=1\nFDNAME=x\nSTATUS={number} {count}", [null]
    if (number + count) % 5 == 0:
        return f"X_KEY=1\nSTATUS={number} {count}", []
    return f"STATUS={number} {count}", []


def try_send(sender, text, fds):
    try:
        socket.send_fds(sender, [text.encode()], fds)
        return True
    except BlockingIOError:
        return False


senders = {number: connected(pattern.replace("{}", str(number))) for number in numbers}
print("connected", flush=True)
count = 0
while not select.select([sys.stdin], [], [], float(pause))[0]:
    count += 1
    for number, sender in senders.items():
        while not try_send(sender, *message(number, count)):
            time.sleep(0.001)
print(count, flush=True)
