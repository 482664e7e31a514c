/** A program that knows where to ask for descriptors, and by which id. */
export function asker(between = ''): string {
  return `import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect(sys.argv[1])
${between}
try:
    connection.send(json.dumps({"version": 1, "id": sys.argv[2]}).encode())
except BrokenPipeError:
    pass
try:
    answer = connection.recv(10000)
except ConnectionResetError:
    answer = connection.recv(10000)
print(answer.decode(), flush=True)
`
}
