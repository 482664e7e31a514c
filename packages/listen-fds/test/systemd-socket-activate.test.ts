import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import net from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { askHttp, askStream, askUdp, freePort } from './client.js'
import { Service, serviceCommand } from './service.js'
import { PYTHON, works } from '../../../test/support/real-program.js'

const CONNECT_SEQPACKET =
  'socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])'
const ASK_ABSTRACT = `
client = socket.socket(socket.AF_UNIX)
client.connect('\\0' + sys.argv[1])
client.send(b'GET / HTTP/1.0\\r\\n\\r\\n')
print(client.makefile().read())`

// systemd's own manager of one socket unit. It starts the service when the first client comes.
describe.skipIf(!works('systemd-socket-activate', '--version'))('systemd-socket-activate', () => {
  test('TCP over IPv4', async () => {
    const port = await freePort()
    const service = activated('-l', `127.0.0.1:${port}`)
    expect(await retried(() => askHttp({ port }))).toBe('unknown')
    expect(await service.report()).toMatchObject({
      fds: [{ fd: 3, kind: 'tcp-listener', family: 'inet', address: `127.0.0.1:${port}` }],
      pid: service.pid,
      cloexec: expect.arrayContaining([3]) as number[],
      variables: [],
    })
  })

  test('TCP over IPv6', async () => {
    const port = await freePort()
    const service = activated('-l', `[::1]:${port}`)
    expect(await retried(() => askHttp({ host: '::1', port }))).toBe('unknown')
    expect((await service.report()).fds).toMatchObject([
      { kind: 'tcp-listener', family: 'inet6', address: `[::1]:${port}` },
    ])
  })

  test('TCP on a port alone, which serves both', async () => {
    const port = await freePort()
    const service = activated('-l', String(port))
    expect(await retried(() => askHttp({ host: '127.0.0.1', port }))).toBe('unknown')
    expect(await askHttp({ host: '::1', port })).toBe('unknown')
    expect((await service.report()).fds).toMatchObject([
      { kind: 'tcp-listener', family: 'inet6', address: `[::]:${port}` },
    ])
  })

  test('UDP', async () => {
    const port = await freePort()
    const service = activated('--datagram', '-l', `127.0.0.1:${port}`)
    expect(await askUdp('127.0.0.1', port, 'hello')).toBe('echo hello')
    expect((await service.report()).fds).toMatchObject([
      { kind: 'udp', family: 'inet', address: `127.0.0.1:${port}` },
    ])
  })

  test('a unix stream socket', async () => {
    const path = socketPath()
    const service = activated('-l', path)
    expect(await retried(() => askHttp({ socketPath: path }))).toBe('unknown')
    expect((await service.report()).fds).toMatchObject([
      { kind: 'unix-listener', family: 'unix', address: path },
    ])
  })

  test('an abstract unix stream socket', async () => {
    const name = `sdbridge-listen-fds-${process.pid}`
    const service = activated('-l', `@${name}`)
    expect(await retried(() => python(ASK_ABSTRACT, name))).toMatch(/unknown\n$/)
    expect((await service.report()).fds).toMatchObject([
      { kind: 'unix-listener', address: `@${name}` },
    ])
  })

  test('a sequential-packet socket', async () => {
    const path = socketPath()
    const service = activated('--seqpacket', '-l', path)
    await retried(() => python(CONNECT_SEQPACKET, path))
    expect((await service.report()).fds).toMatchObject([{ kind: 'seqpacket-listener' }])
  })

  test('several sockets with names', async () => {
    const [port, path] = [await freePort(), socketPath()]
    const service = activated('-l', `127.0.0.1:${port}`, '-l', path, '--fdname=web:admin')
    expect(await retried(() => askHttp({ socketPath: path }))).toBe('admin')
    expect(await askHttp({ port })).toBe('web')
    expect((await service.report()).fds).toMatchObject([
      { fd: 3, name: 'web', kind: 'tcp-listener' },
      { fd: 4, name: 'admin', kind: 'unix-listener' },
    ])
  })

  test('fewer names than sockets', async () => {
    const paths = [socketPath(), socketPath(), socketPath()]
    const service = activated(...paths.flatMap((path) => ['-l', path]), '--fdname=a:b')
    await retried(() => connected(paths[0]!))
    expect((await service.report()).error).toMatchObject({
      code: 'ERR_LISTEN_FDS_INVALID_ENVIRONMENT',
      variable: 'LISTEN_FDNAMES',
      value: 'a:b',
    })
  })

  test('a connection for each instance (Accept=yes)', async () => {
    const path = socketPath()
    const service = activated('--accept', '-l', path)
    expect(await retried(() => askStream({ path }, 'hello'))).toBe('echo hello')
    expect((await service.report()).fds).toMatchObject([
      { fd: 3, kind: 'connection', family: 'unix' },
    ])
  })

  test('a service below a shell that does not exec gets nothing', async () => {
    const path = socketPath()
    const script = '"$@"; exit 0'
    const command = ['sh', '-c', script, 'sh', ...serviceCommand()]
    const service = new Service(['systemd-socket-activate', '-l', path, ...command])
    await retried(() => connected(path))
    expect((await service.report()).fds).toEqual([])
  })
})

function activated(...args: string[]): Service {
  return new Service(['systemd-socket-activate', ...args, ...serviceCommand()])
}

function socketPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'listen-fds-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'socket')
}

async function connected(path: string): Promise<void> {
  const socket = net.connect(path)
  await once(socket, 'connect')
  socket.destroy()
}

// For what Node cannot connect to: it has no seqpacket sockets, and up to version 20 no abstract names.
function python(script: string, ...args: string[]): string {
  return execFileSync(PYTHON, ['-c', `import socket, sys\n${script}`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

// The program does not tell when it listens.
async function retried<T>(attempt: () => T | Promise<T>, tries = 100): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (tries === 0) throw error
    await delay(50)
    return retried(attempt, tries - 1)
  }
}
