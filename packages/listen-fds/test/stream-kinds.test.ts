import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { duplicateFd } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { ConnectionStream } from '../src/connection-stream.js'
import { DeviceStream } from '../src/device-stream.js'
import { openStream } from '../src/open-stream.js'
import { readToEnd } from './connected-streams.js'
import { fifo } from './fifo.js'
import { isOpen, until } from './open-fds.js'
import { Program } from './program.js'

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants
const MUCH = randomBytes(3_000_000)

describe('a FIFO', () => {
  test('opened for both, as ListenFIFO= is, outlives its writers', async () => {
    const path = fifo()
    const fd = openSync(path, O_RDWR)
    const stream = opened(fd, 'fifo')
    let text = ''
    stream.on('data', (data) => (text += String(data)))
    for (const round of [1, 2]) {
      const writers = Array.from({ length: 10 }, (_, writer) =>
        spawn('sh', [
          '-c',
          `for i in 1 2 3 4 5 6 7 8 9 10; do echo ${round}.${writer}.$i; done > "$1"`,
          'sh',
          path,
        ]),
      )
      await Promise.all(writers.map(async (writer) => once(writer, 'exit')))
      await until(() => text.split('\n').length === round * 100 + 1)
    }
    expect(new Set(text.split('\n')).size).toBe(201)
    expect([stream.readableEnded, stream.destroyed]).toEqual([false, false])
  })

  test('opened for both reads what it writes, is not closed by end, but by destroy', async () => {
    const fd = openSync(fifo(), O_RDWR)
    const stream = opened(fd, 'fifo')
    let text = ''
    stream.on('data', (data) => (text += String(data)))
    stream.end('echo')
    await once(stream, 'finish')
    await until(() => text === 'echo')
    expect([stream.destroyed, isOpen(fd)]).toEqual([false, true])
    stream.destroy()
    await until(() => !isOpen(fd))
  })

  test('opened for reading ends with its last writer', async () => {
    const path = fifo()
    const fd = openSync(path, O_RDONLY | O_NONBLOCK)
    const stream = opened(fd, 'fifo')
    expect([stream.readable, stream.writable]).toEqual([true, false])
    const writers = [openSync(path, O_WRONLY), openSync(path, O_WRONLY)]
    for (const writer of writers) writeSync(writer, 'x')
    for (const writer of writers) closeSync(writer)
    expect((await readToEnd(stream)).toString()).toBe('xx')
    await until(() => !isOpen(fd))
  })

  test('opened for writing tells when nobody reads any more', async () => {
    const path = fifo()
    const reader = openSync(path, O_RDONLY | O_NONBLOCK)
    const fd = openSync(path, O_WRONLY)
    const stream = opened(fd, 'fifo')
    expect([stream.readable, stream.writable]).toEqual([false, true])
    await new Promise((resolve) => stream.write('x', resolve))
    closeSync(reader)
    const failed = new Promise((resolve) => stream.once('error', resolve))
    stream.write('y')
    expect(await failed).toMatchObject({ code: 'EPIPE' })
    await until(() => !isOpen(fd))
  })
})

describe.each(['unix', 'tcp'] as const)('a connection over %s', (family) => {
  test('carries much both ways, and is closed at the end of both', async () => {
    const { fd, far } = await acceptedFd(family)
    const stream = opened(fd, 'connection')
    stream.pipe(stream)
    far.end(MUCH)
    expect((await readToEnd(far)).equals(MUCH)).toBe(true)
    await until(() => !isOpen(fd))
  })

  test('whose other end has gone gives what it sent, then the end', async () => {
    const { fd, far } = await acceptedFd(family)
    far.end('last words')
    await once(far.resume(), 'finish')
    // As systemd does: this process comes later.
    await new Promise((resolve) => setTimeout(resolve, 20))
    const stream = opened(fd, 'connection')
    expect((await readToEnd(stream)).toString()).toBe('last words')
    await until(() => !isOpen(fd))
  })

  test('that was reset is an error, and closed', async () => {
    const { fd, far } = await acceptedFd(family, { reads: false })
    // What has arrived and was not read makes a reset of a close.
    writeSync(fd, 'nobody reads this')
    far.destroy()
    await once(far, 'close')
    const stream = opened(fd, 'connection')
    const failed = new Promise((resolve) => stream.once('error', resolve))
    stream.resume()
    expect(await failed).toMatchObject({ code: 'ECONNRESET' })
    await until(() => !isOpen(fd))
  })

  test('can be left half open', async () => {
    const { fd, far } = await acceptedFd(family)
    const stream = opened(fd, 'connection', { allowHalfOpen: true })
    far.end('question')
    expect((await readToEnd(stream)).toString()).toBe('question')
    stream.end('answer')
    expect((await readToEnd(far)).toString()).toBe('answer')
    await until(() => !isOpen(fd))
  })
})

test('what libuv does not drive becomes a ConnectionStream', async () => {
  const { fd, far } = await acceptedFd('unix')
  far.end(MUCH)
  const stream = opened(fd, 'vsock-connection', { allowHalfOpen: true })
  expect(stream).toBeInstanceOf(ConnectionStream)
  expect((await readToEnd(stream)).equals(MUCH)).toBe(true)
  stream.end('answer')
  expect((await readToEnd(far)).toString()).toBe('answer')
  await until(() => !isOpen(fd))
})

test('a device becomes a DeviceStream', async () => {
  const fd = openSync('/proc/version', 'r')
  const stream = opened(fd, 'special')
  expect(stream).toBeInstanceOf(DeviceStream)
  expect((await readToEnd(stream)).toString()).toMatch(/^Linux/)
  await until(() => !isOpen(fd))
})

test.each([
  ['udp', 'ERR_LISTEN_FDS_WRONG_KIND'],
  ['unknown', 'ERR_LISTEN_FDS_WRONG_KIND'],
  // These are not what was said.
  ['connection', 'ERR_INVALID_FD_TYPE'],
  ['fifo', 'ERR_INVALID_FD_TYPE'],
  ['vsock-connection', 'ERR_INVALID_ARG_VALUE'],
] as const)('a file that is said to be %s is refused, and stays open', (kind, code) => {
  const fd = openSync('/proc/version', 'r')
  expect(() => openStream(fd, kind)).toThrow(expect.objectContaining({ code }))
  expect(isOpen(fd)).toBe(true)
  closeSync(fd)
})

// A thread that is blocked in read(2) would keep it from ending.
describe('a process ends', () => {
  const kinds = ['fifo', 'special', 'vsock-connection'] as const

  test.each(kinds)('by process.exit(), with a %s that waits', async (kind) => {
    const program = await waitingProgram(kind, 'setTimeout(() => process.exit(3), 50)')
    expect(await program.ended()).toBe(3)
  })

  test.each(kinds)('by itself, with a %s that was destroyed', async (kind) => {
    const program = await waitingProgram(kind, 'setTimeout(() => stream.destroy(), 50)')
    expect(await program.ended()).toBe(0)
  })

  test.each(kinds)('by itself, with a %s that is unref', async (kind) => {
    const program = await waitingProgram(kind, 'stream.unref()')
    expect(await program.ended()).toBe(0)
  })

  test.each(kinds)('not with a %s that waits', async (kind) => {
    const program = await waitingProgram(kind, 'stream.unref(); stream.ref()')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(program.process.exitCode).toBeNull()
  })
})

async function waitingProgram(kind: string, then: string): Promise<Program> {
  // A pipe can be waited for as a device can.
  const fd = kind === 'vsock-connection' ? (await acceptedFd('unix')).fd : openSync(fifo(), O_RDWR)
  onTestFinished(() => closeSync(fd))
  const source = `
    const { openStream } = await import('./dist/open-stream.js')
    const stream = openStream(3, ${JSON.stringify(kind)}).on('error', (error) => say(error.message))
    stream.resume()
    ${then}
    say('waiting')`
  const program = new Program(source, { fds: [fd] })
  expect(await program.said()).toBe('waiting')
  return program
}

function opened(...args: Parameters<typeof openStream>): Duplex {
  const stream = openStream(...args)
  onTestFinished(() => void stream.destroy())
  return stream
}

/** What a service manager has of a connection that it accepted and that nobody has read from. */
async function acceptedFd(
  family: 'unix' | 'tcp',
  { reads = true } = {},
): Promise<{ fd: number; far: Socket }> {
  const server = net.createServer({ pauseOnConnect: true })
  if (family === 'unix') server.listen(join(temporaryDirectory(), 's'))
  else server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const far = net.connect({ ...whereIs(server), allowHalfOpen: true })
  far.on('error', () => {})
  if (!reads) far.pause()
  const [socket] = (await accepted) as [Socket]
  const fd = duplicateFd((Reflect.get(socket, '_handle') as { fd: number }).fd)
  socket.destroy()
  server.close()
  onTestFinished(() => void far.destroy())
  return { fd, far }
}

function whereIs(server: Server): { path: string } | { port: number } {
  const address = server.address() as string | AddressInfo
  return typeof address === 'string' ? { path: address } : { port: address.port }
}
