"""A payload that does what its arguments say, one after the other: VERB or VERB:TEXT.

It is the first process of its container, or a command's only process.
"""
import json
import os
import signal
import socket
import sys
import time


def say(text):
    os.write(1, (text + "\n").encode())


def send(text):
    address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), address)


def on(text):
    """on:TERM send:STOPPING=1;exit:0"""
    name, _, steps = text.partition(" ")

    def handler(_signal, _frame):
        for step in steps.split(";"):
            run(step)

    signal.signal(getattr(signal, "SIG" + name), handler)


def serve(_text):
    """Answers one connection at descriptor 3 with the names of the descriptors."""
    listener = socket.socket(fileno=os.dup(3))
    connection, _ = listener.accept()
    connection.sendall((os.environ.get("LISTEN_FDNAMES", "-") + "\n").encode())
    connection.close()


def die(name):
    number = getattr(signal, "SIG" + name)
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


STEPS = {
    "say": say,
    "send": send,
    "pid": lambda _: say(str(os.getpid())),
    "env": lambda _: say("ENV " + json.dumps(dict(os.environ))),
    "on": on,
    "serve": serve,
    "sleep": lambda text: time.sleep(float(text)),
    "forever": lambda _: [time.sleep(1) for _ in iter(int, 1)],
    "exit": lambda text: os._exit(int(text)),
    "die": die,
}


def run(step):
    verb, _, text = step.partition(":")
    STEPS[verb](text)


for each in sys.argv[1:]:
    run(each)
