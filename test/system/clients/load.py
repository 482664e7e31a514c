# Sends HTTP requests, one after the other on each of some threads and each on a connection of its own, until its standard input
# ends. Prints how many it has sent so far, and at last what came of them.
# What it is to connect to is in `family` and `address`; see load.ts.
lock = threading.Lock()
requests, failures, answers = 0, {}, {}
ended = False


def ask():
    with socket.socket(family) as client:
        client.settimeout(20)
        client.connect(address)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        response = b""
        while piece := client.recv(4096):
            response += piece
    head, _, body = response.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise OSError(f"not a response: {response}")
    return body.decode()


def count(what, key):
    global requests
    with lock:
        requests += 1
        what[key] = what.get(key, 0) + 1
        if requests % 10 == 0:
            print(json.dumps({"requests": requests}), flush=True)


def go_on():
    while not ended:
        try:
            count(answers, ask())
        except OSError as error:
            count(failures, repr(error))
            time.sleep(0.01)


threads = [threading.Thread(target=go_on) for _ in range(8)]
for thread in threads:
    thread.start()
sys.stdin.read()
ended = True
for thread in threads:
    thread.join()
print(json.dumps({"requests": requests, "failures": failures, "answers": answers}))
