"""Shuts down a socket of another process, as another holder of it could: shut-down.py <pid> <descriptor>"""

import ctypes
import os
import socket
import sys

PIDFD_GETFD = 438
pidfd = os.pidfd_open(int(sys.argv[1]))
fd = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, int(sys.argv[2]), 0)
if fd < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
socket.socket(fileno=fd).shutdown(socket.SHUT_RDWR)
