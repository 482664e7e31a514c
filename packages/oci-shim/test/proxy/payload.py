"""A payload that sends what it is told: payload.py <socket path>

Prints its own number, then reads lines: a message with \\n for line breaks, in which {child} is the number of a child
that lives as long as this. A line that starts with "pidfd " or "file " sends a pidfd of that child, or a file, along;
"fork " sends from a child that ends at once. Prints "sent" for each. The monotonic time of now is {now}.
"""

import os
import socket
import subprocess
import sys
import time

child = subprocess.Popen(["sleep", "100"])
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect(sys.argv[1])
print(os.getpid(), flush=True)


def send(line):
    fds = []
    if line.startswith("pidfd "):
        fds, line = [os.pidfd_open(child.pid)], line[6:]
    elif line.startswith("file "):
        fds, line = [0], line[5:]
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    text = line.replace("{child}", str(child.pid)).replace("{now}", str(now)).replace("\\n", "\n")
    socket.send_fds(sender, [text.encode()], fds)


for line in sys.stdin:
    line = line.rstrip("\n")
    if line.startswith("fork "):
        if os.fork() == 0:
            send(line[5:])
            os._exit(0)
        os.wait()
    else:
        send(line)
    print("sent", flush=True)
child.kill()
