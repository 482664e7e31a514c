import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { constants, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { closeFd, isNonBlocking } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { DeviceStream } from '../src/device-stream.js'
import { readToEnd } from './connected-streams.js'
import { fifo } from './fifo.js'
import { isOpen, until } from './open-fds.js'
import { PseudoTerminal } from './pseudo-terminal.js'

const { O_APPEND, O_RDONLY, O_RDWR, O_WRONLY } = constants
const MUCH = randomBytes(3_000_000)

describe('a file', () => {
  test('is read from where it is, to its end, and closed', async () => {
    const path = fileOf(MUCH)
    const fd = openSync(path, 'r')
    readSync(fd, Buffer.alloc(1000))
    const stream = opened(fd)
    expect([stream.readable, stream.writable]).toEqual([true, false])
    expect((await readToEnd(stream)).equals(MUCH.subarray(1000))).toBe(true)
    await closedWith(stream, fd)
  })

  test('that was opened for writing only is written to', async () => {
    const path = fileOf(Buffer.from('before, '))
    const fd = openSync(path, O_WRONLY | O_APPEND)
    const stream = opened(fd)
    expect([stream.readable, stream.writable]).toEqual([false, true])
    stream.write(MUCH)
    stream.end('after')
    await closedWith(stream, fd)
    const all = Buffer.concat([Buffer.from('before, '), MUCH, Buffer.from('after')])
    expect(readFileSync(path).equals(all)).toBe(true)
  })

  test('that was opened for both is read and then written to, if half open', async () => {
    const path = fileOf(Buffer.from('question '))
    const fd = openSync(path, O_RDWR)
    const stream = opened(fd, { allowHalfOpen: true })
    expect((await readToEnd(stream)).toString()).toBe('question ')
    stream.end('answer')
    await closedWith(stream, fd)
    expect(readFileSync(path, 'utf8')).toBe('question answer')
  })

  test('that was opened for both is closed at its end', async () => {
    const fd = openSync(fileOf(Buffer.from('text')), O_RDWR)
    const stream = opened(fd)
    expect((await readToEnd(stream)).toString()).toBe('text')
    await closedWith(stream, fd)
  })

  test.each(['/proc/self/status', '/proc/version', '/sys/devices/system/cpu/online'])(
    '%s ends, like others',
    async (path) => {
      if (!existsSync(path)) return
      const fd = openSync(path, 'r')
      const text = (await readToEnd(opened(fd))).toString()
      expect(text.split('\n')[0]).toBe(readFileSync(path, 'utf8').split('\n')[0])
      await until(() => !isOpen(fd))
    },
  )
})

describe('a device', () => {
  test('without an end is read as fast as somebody takes it, and closed by destroy', async () => {
    const fd = openSync('/dev/zero', 'r')
    const stream = opened(fd)
    await once(stream, 'readable')
    const [chunk] = [stream.read() as Buffer]
    expect(chunk.every((byte) => byte === 0)).toBe(true)
    // Nobody reads: what waits is what the buffer is for, and one read.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(stream.readableLength).toBeLessThan(stream.readableHighWaterMark + 65_537)
    stream.destroy()
    await closedWith(stream, fd)
  })

  test('that ends at once ends', async () => {
    const fd = openSync('/dev/null', O_RDWR)
    const stream = opened(fd)
    stream.write('away')
    expect((await readToEnd(stream)).length).toBe(0)
    await closedWith(stream, fd)
  })

  test('that is full is an error, and closed', async () => {
    const fd = openSync('/dev/full', O_WRONLY)
    const stream = opened(fd)
    const failed = new Promise((resolve) => stream.once('error', resolve))
    stream.write('x')
    expect(await failed).toMatchObject({ code: 'ENOSPC' })
    await closedWith(stream, fd)
  })
})

describe.skipIf(!works(PYTHON, '-c', 'import pty; pty.openpty()'))('a terminal', () => {
  test('is read and written to, and ends when it hangs up', async () => {
    const terminal = await PseudoTerminal.open()
    const stream = opened(terminal.fd)
    expect(isNonBlocking(terminal.fd)).toBe(true)
    let typed = ''
    stream.on('data', (data) => (typed += String(data)))
    stream.write('login: ')
    await until(() => terminal.shown === 'login: ')
    terminal.type('root')
    await until(() => typed === 'root')
    terminal.hangUp()
    await closedWith(stream, terminal.fd)
  })

  test('that is slow makes writing wait, and loses nothing', async () => {
    const terminal = await PseudoTerminal.open()
    const stream = opened(terminal.fd)
    const text = MUCH.toString('hex').slice(0, 300_000)
    await new Promise((resolve) => stream.write(text, resolve))
    await until(() => terminal.shown.length === text.length)
    expect(terminal.shown).toBe(text)
  })
})

// A pipe stands here for what can be waited for.
describe('waiting', () => {
  test('takes no thread of node:fs, and ends with destroy', async () => {
    const fds = Array.from({ length: 8 }, () => openSync(fifo(), O_RDWR))
    const streams = fds.map((fd) => opened(fd).resume())
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await readFile('/proc/self/comm')).length).toBeGreaterThan(0)
    for (const [index, stream] of streams.entries()) {
      stream.destroy()
      await closedWith(stream, fds[index]!)
    }
  })

  test('for room ends with destroy, which the callback of the write hears of', async () => {
    const fd = openSync(fifo(), O_RDWR)
    const stream = opened(fd)
    const written = new Promise((resolve) => stream.write(MUCH, resolve))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(stream.writableLength).toBe(MUCH.length)
    stream.destroy()
    expect(await written).toMatchObject({ code: 'ECANCELED' })
    await closedWith(stream, fd)
  })

  test('goes on if somebody else takes what was there', async () => {
    const path = fifo()
    // Both are told of each byte, and one of them comes too late.
    const streams = [opened(openSync(path, O_RDWR)), opened(openSync(path, O_RDWR))]
    let received = 0
    for (const stream of streams) stream.on('data', (data: Buffer) => (received += data.length))
    for (let count = 1; count <= 50; count++) {
      streams[0]!.write('x')
      await until(() => received === count)
    }
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([false, false])
  })

  test('for both directions at once', async () => {
    const fd = openSync(fifo(), O_RDWR)
    const stream = opened(fd)
    const received: Buffer[] = []
    stream.on('data', (data: Buffer) => received.push(data))
    await new Promise((resolve) => stream.write(MUCH, resolve))
    await until(() => Buffer.concat(received).length === MUCH.length)
    expect(Buffer.concat(received).equals(MUCH)).toBe(true)
  })
})

test('what is not open is refused', () => {
  const fd = openSync('/dev/null', 'r')
  closeFd(fd)
  expect(() => new DeviceStream(fd)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

test('what cannot be read is an error, and closed', async () => {
  const fd = openSync('/', O_RDONLY)
  const stream = opened(fd)
  const failed = new Promise((resolve) => stream.once('error', resolve))
  stream.resume()
  expect(await failed).toMatchObject({ code: 'EISDIR' })
  await closedWith(stream, fd)
})

function opened(...args: ConstructorParameters<typeof DeviceStream>): DeviceStream {
  const stream = new DeviceStream(...args)
  onTestFinished(() => void stream.destroy())
  return stream
}

async function closedWith(stream: DeviceStream, fd: number): Promise<void> {
  await until(() => stream.closed && !isOpen(fd))
}

function fileOf(content: Buffer): string {
  const path = join(temporaryDirectory(), 'file')
  writeFileSync(path, content)
  return path
}
