import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { PYTHON } from '../../../test/support/real-program.js'

/** Where a server is. */
export type Place = { readonly port: number } | { readonly path: string }

/** Asks a server something, and returns its answer. */
export type Client = (place: Place) => Promise<string>

/** curl; a certificate that nobody has signed will do. */
export function curl(scheme: 'http' | 'https', ...options: string[]): Client {
  return async (place) => {
    const [host, where] =
      'path' in place
        ? ['localhost', ['--unix-socket', place.path]]
        : [`127.0.0.1:${place.port}`, []]
    const common = ['--silent', '--show-error', '--insecure', '--max-time', '20', '--noproxy', '*']
    return run('curl', [...common, ...options, ...where, `${scheme}://${host}/`])
  }
}

/** Sends a line, and returns what comes back until there is a line. */
export const askLine: Client = python(`
client.sendall(b'hello\\n')
print(client.makefile().readline(), end='')`)

/** The same over TLS. */
export const askLineByTls: Client = python(`
import ssl
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
client = context.wrap_socket(client)
client.sendall(b'hello\\n')
print(client.makefile().readline(), end='')`)

/** Sends a datagram and returns the answer. */
export const askUdp: Client = python(
  `
client.send(b'hello')
print(client.recv(100).decode(), end='')`,
  'SOCK_DGRAM',
)

/** Opens a web socket, sends a text, and returns the text that comes back; see RFC 6455. */
export const askWebSocket: Client = python(`
client.sendall(b'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n'
    b'Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n')
answers = client.makefile('rb')
headers = b''.join(iter(answers.readline, b'\\r\\n'))
assert b' 101 ' in headers and b's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' in headers, headers
text, mask = b'hello', b'mask'
client.sendall(bytes([0x81, 0x80 | len(text)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text)))
opcode, length = answers.read(2)
assert opcode == 0x81, opcode
print(answers.read(length).decode(), end='')`)

/** Sends an event as node-ipc frames it, and returns the event that comes back; first, what must not end the server. */
export const askNodeIpc: Client = python(`
for line in (b'null', b'{', b'{"type":"greet","data":{"toString":1}}'):
    other = socket.socket(family)
    other.settimeout(20)
    other.connect(place)
    other.sendall(line + b'\\f')
    other.recv(100) # An answer, or the end.
    other.close()
client.sendall(b'{"type":"greet","data":"world"}\\f')
answer = b''
while not answer.endswith(b'\\f'):
    answer += client.recv(100) or sys.exit('no answer')
print(answer[:-1].decode(), end='')`)

function python(script: string, type = 'SOCK_STREAM'): Client {
  const connect = `
import socket, sys
where = sys.argv[1]
family, place = (socket.AF_UNIX, where) if '/' in where else (socket.AF_INET, ('127.0.0.1', int(where)))
client = socket.socket(family, socket.${type})
client.settimeout(20)
client.connect(place)
`
  return async (place) => {
    const where = 'path' in place ? place.path : String(place.port)
    return run(PYTHON, ['-c', connect + script, where])
  }
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { timeout: 30_000 })
  return stdout
}
