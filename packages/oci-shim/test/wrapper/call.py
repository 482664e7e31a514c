"""Becomes a program in a state that is unlike any other, as JSON says: python3 call.py '{"argv": […], …}'."""

import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import sys


def busy_epoll():
    """Its fdinfo has lines unlike those of files."""
    pipe, _ = os.pipe()
    watched = fcntl.fcntl(pipe, fcntl.F_DUPFD_CLOEXEC, 500)
    epoll = select.epoll()
    epoll.register(watched, select.EPOLLIN)
    return fcntl.fcntl(epoll.fileno(), fcntl.F_DUPFD_CLOEXEC, 501)


call = json.loads(sys.argv[1])
os.chdir(call["cwd"])
for name, soft, hard in call["limits"]:
    resource.setrlimit(getattr(resource, name), (soft, hard))
# What the test itself was started with.
os.closerange(3, 4096)
for fd, path in call["fds"].items():
    opened = busy_epoll() if path == "epoll" else os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    if opened == int(fd):
        os.set_inheritable(opened, True)
    else:
        os.dup2(opened, int(fd), inheritable=True)
        os.close(opened)
for fd in call["closed"]:
    os.close(fd)
os.umask(call["umask"])
# What Python itself has changed.
for name in ("SIGPIPE", "SIGXFSZ", "SIGINT"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
for number in call["ignored"]:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, call["blocked"])
if call["parentDeathSignal"]:
    ctypes.CDLL(None).prctl(1, call["parentDeathSignal"])
os.execve(call["argv"][0], call["argv"], call["env"])
