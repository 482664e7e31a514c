"""A manager's socket that takes no descriptors, as that of `systemd-notify --fork` (SO_PASSRIGHTS, Linux 6.16).

manager-without-rights.py <socket path>

Prints "bound", and then what it receives, a message a line. Ends with its standard input.
"""

import os
import socket
import sys

SO_PASSRIGHTS = 83
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS, 0)
if len(sys.argv) == 1:
    sys.exit()
manager.bind(sys.argv[1])
print("bound", flush=True)
if os.fork() == 0:
    while True:
        print(manager.recv(4096).decode().replace("\n", " "), flush=True)
sys.stdin.read()
os.killpg(0, 9)
