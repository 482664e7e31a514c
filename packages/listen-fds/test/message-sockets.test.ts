import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { PYTHON } from '../../../test/support/real-program.js'
import { Program } from './program.js'
import { socketPath, tcp, unix } from './sockets.js'

describe('a datagram socket of a path', () => {
  test('answers who has an address, knows who sent, and takes descriptors', async () => {
    const path = socketPath()
    const program = new Program(
      `import { readFileSync, readlinkSync } from 'node:fs'
       const socket = takeFds('log')[0].openDatagramSocket()
       socket.receive({
         addresses: true,
         onMessages(batch) {
           for (const { data, sender, address, fds } of batch) {
             say({ data: String(data), sender, links: fds.map((fd) => readlinkSync('/proc/self/fd/' + fd)) })
             socket.trySend(Buffer.from('answer'), { address })
           }
         },
         onError: (error) => say({ error }),
       })
       say('ready')`,
      { fds: [unix('dgram', path).fd], names: 'log' },
    )
    expect(await program.said()).toBe('ready')
    const answer = await python(
      `import os
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.bind('')
client.connect(path)
socket.send_fds(client, [b'question'], [os.open('/dev/null', os.O_RDONLY)])
print(os.getpid(), client.recv(100).decode())`,
      path,
    )
    const [, pid] = /^(\d+) answer\n$/.exec(answer)!
    expect(await program.said()).toEqual({
      data: 'question',
      sender: { pid: Number(pid), uid: process.getuid!(), gid: process.getgid!() },
      links: ['/dev/null'],
    })
  })
})

describe('a seqpacket socket', () => {
  test('accepts connections, keeps packets apart, and knows its peer', async () => {
    const path = socketPath()
    const program = new Program(
      `const [control] = listenFds()
       control.openListener({
         onConnection(connection) {
           say(connection.peer)
           connection.receive({
             onMessages: (batch) => batch.forEach(({ data }) => connection.trySend(Buffer.from('<' + data + '>'))),
             onEnd: () => connection.close(),
             onError: () => connection.close(),
           })
         },
         onError: (error) => say({ error }),
       })`,
      { fds: [unix('seqpacket', path).fd] },
    )
    const answer = await python(
      `client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(path)
client.send(b'one')
client.send(b'two')
print(os.getpid(), client.recv(100).decode(), client.recv(100).decode())`,
      path,
    )
    const [, pid] = /^(\d+) <one> <two>\n$/.exec(answer)!
    expect(await program.said()).toMatchObject({ pid: Number(pid) })
  })

  test('is served as a connection where the manager has accepted it', async () => {
    const path = socketPath()
    const { fd } = unix('seqpacket', path)
    const answer = await python(
      `import subprocess
listener = socket.socket(fileno=3)
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(path)
accepted = listener.accept()[0]
listener.close()
os.dup2(accepted.fileno(), 3, inheritable=True)
program = '''
import { connection } from '@sdbridge/listen-fds'
const client = connection().openConnection()
client.receive({
  onMessages: ([{ data }]) => client.trySend(Buffer.from('<' + data + '>')),
  onEnd: () => client.close(),
  onError: () => client.close(),
})'''
service = subprocess.Popen(
    ['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', 'sh', '${process.execPath}', '--input-type=module', '-e', program],
    pass_fds=[3])
os.close(3)
accepted.close()
client.send(b'hello')
print(client.recv(100).decode())
client.close()
print(service.wait())`,
      path,
      [fd],
    )
    expect(answer).toBe('<hello>\n0\n')
  })
})

test('a message queue is received from', async () => {
  const answer = await python(
    `import ctypes, subprocess
libc = ctypes.CDLL(None, use_errno=True)
name = b'/listen-fds-test-%d' % os.getpid()
receiving = libc.mq_open(name, os.O_CREAT | os.O_RDONLY, 0o600, None)
sending = libc.mq_open(name, os.O_WRONLY)
libc.mq_unlink(name)
libc.mq_send(sending, b'low', 3, 1)
libc.mq_send(sending, b'high', 4, 9)
os.dup2(os.dup(receiving), 10)
os.dup2(10, 3, inheritable=True)
program = '''
import { listenFds } from '@sdbridge/listen-fds'
const queue = listenFds()[0].openMessageQueue()
queue.receive({
  onMessages: (batch) => { console.log(batch.map(({ data, priority }) => data + ' ' + priority).join()); queue.close() },
  onError: console.error,
})'''
os.environ.update(LISTEN_FDS='1')
print(subprocess.run(['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', '${process.execPath}', '--input-type=module', '-e', program],
    pass_fds=[3], capture_output=True, text=True).stdout, end='')`,
    '',
  )
  expect(answer).toBe('high 9,low 1\n')
})

test('what was made of a descriptor owns it', async () => {
  const program = new Program(
    `const [log, web] = listenFds()
     const attempt = (act) => { try { act() } catch ({ code }) { say(code) } }
     attempt(() => web.openDatagramSocket())
     attempt(() => web.openListener({ onConnection() {}, onError() {} }))
     const socket = log.openDatagramSocket()
     attempt(() => log.openDatagramSocket())
     attempt(() => log.duplicate())
     log.close(), say(socket.fd)`,
    { fds: [unix('dgram', socketPath()).fd, tcp().fd] },
  )
  expect(await program.said()).toBe('ERR_LISTEN_FDS_WRONG_KIND')
  expect(await program.said()).toBe('ERR_LISTEN_FDS_WRONG_KIND')
  expect(await program.said()).toBe('ERR_LISTEN_FDS_HANDED_OVER')
  expect(await program.said()).toBe('ERR_LISTEN_FDS_HANDED_OVER')
  expect(await program.said()).toBe(3)
})

/** What a script writes that may use `os`, `socket` and `path`; `fds` are its descriptors from 3 on. */
function python(script: string, path: string, fds: readonly number[] = []): Promise<string> {
  const source = `import os, socket, sys\npath = sys.argv[1]\n${script}`
  const child = spawn(PYTHON, ['-c', source, path], {
    cwd: new URL('..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit', ...fds],
  })
  return text(child.stdout!)
}
