import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type Connection, ConnectionListener, connectSocket } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { ConnectionStream } from '../src/connection-stream.js'
import { connectedStreams, listeningSocket, readToEnd } from './connected-streams.js'
import { openFds, until } from './open-fds.js'

const MUCH = 8 * 1024 * 1024

describe('bytes', () => {
  test('go both ways at once, many of them, all in order', async () => {
    const { near, far } = await connectedStreams()
    const sent = randomBytes(MUCH)
    const echoed = pipeline(near, near)
    far.end(sent)
    expect((await readToEnd(far)).equals(sent)).toBe(true)
    await echoed
  })

  test('wait for a reader that is slow, at either end', async () => {
    const { near, far } = await connectedStreams()
    const sent = randomBytes(MUCH)
    near.end(sent)
    far.end(sent)
    const received = await Promise.all([readToEnd(far, 1), readToEnd(near, 1)])
    expect(received.map((data) => data.equals(sent))).toEqual([true, true])
  })

  test('are not taken from the kernel where nobody reads them', async () => {
    const { near, far } = await connectedStreams()
    far.write(randomBytes(MUCH))
    await until(() => near.readableLength >= near.readableHighWaterMark)
    const taken = near.readableLength
    await delay(50)
    // One batch at most beyond what the buffer is for.
    expect(near.readableLength).toBe(taken)
    expect(taken).toBeLessThan(near.readableHighWaterMark + 200_000)
  })

  test('that the other end does not read wait here', async () => {
    const { near, far } = await connectedStreams()
    far.pause()
    let isWritten = false
    expect(near.write(randomBytes(MUCH), () => (isWritten = true))).toBe(false)
    await delay(50)
    expect([isWritten, near.writableLength]).toEqual([false, MUCH])
    far.resume()
    await once(near, 'drain')
    expect([isWritten, near.writableLength]).toEqual([true, 0])
  })

  test('may be none, or text', async () => {
    const { near, far } = await connectedStreams()
    near.write('')
    near.write(new Uint8Array())
    near.end('ä')
    expect((await readToEnd(far)).toString()).toBe('ä')
  })

  test('are all delivered although a listener throws in between', async () => {
    const { near, far } = await connectedStreams()
    const sent = randomBytes(500_000)
    const received: Buffer[] = []
    let thrown = 0
    const uncaught = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', () => thrown++)
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException')
      for (const listener of uncaught) process.on('uncaughtException', listener)
    })
    near.on('data', (data: Buffer) => {
      received.push(data)
      throw new Error('of the program')
    })
    far.end(sent)
    await until(() => Buffer.concat(received).length === sent.length)
    expect(Buffer.concat(received).equals(sent)).toBe(true)
    expect(thrown).toBeGreaterThan(0)
  })
})

describe('the end', () => {
  test('of the other end is ours too, and closes', async () => {
    const { near, far } = await connectedStreams()
    far.end('last words')
    near.resume()
    await once(near, 'close')
    expect([near.connection.fd, near.writableEnded]).toEqual([-1, true])
  })

  test('of the other end is noticed where nobody reads', async () => {
    const { near, far } = await connectedStreams()
    far.end()
    await once(near, 'close')
    expect(near.connection.fd).toBe(-1)
  })

  test('of the other end leaves ours open, if asked for', async () => {
    const { near, far } = await connectedStreams({ allowHalfOpen: true })
    far.end('question')
    expect((await readToEnd(near)).toString()).toBe('question')
    expect(near.destroyed).toBe(false)
    near.end('answer')
    expect((await readToEnd(far)).toString()).toBe('answer')
    await until(() => near.closed)
  })

  test('of ours leaves the other direction open', async () => {
    const { near, far } = await connectedStreams({ farAllowHalfOpen: true })
    near.end('question')
    expect((await readToEnd(far)).toString()).toBe('question')
    far.end('answer')
    expect((await readToEnd(near)).toString()).toBe('answer')
    await until(() => near.closed)
  })

  test('comes soon with destroySoon, but after all that was written', async () => {
    const { near, far } = await connectedStreams({ farAllowHalfOpen: true })
    const sent = randomBytes(MUCH)
    near.write(sent)
    near.destroySoon()
    expect((await readToEnd(far)).equals(sent)).toBe(true)
    await until(() => near.destroyed)
  })
})

describe('an error', () => {
  test('of sending, because the other end is gone, is an event and closes', async () => {
    const { near, far, errors } = await connectedStreams({ allowHalfOpen: true })
    far.destroy()
    await once(near.resume(), 'end')
    const [error] = await new Promise<unknown[]>((resolve) =>
      near.write('x', (...results) => resolve(results)),
    )
    expect(error).toMatchObject({ code: 'EPIPE', syscall: 'sendmsg' })
    await until(() => near.closed)
    expect(errors).toEqual([error])
  })

  test('of receiving, because the other end did not read all, comes after what it sent', async () => {
    const { near, far, errors } = await connectedStreams()
    far.pause()
    near.write('nobody reads this')
    far.write('last words', () => far.destroy())
    let received = ''
    near.on('data', (data) => (received += String(data)))
    await until(() => near.closed)
    expect(received).toBe('last words')
    expect(errors).toEqual([expect.objectContaining({ code: 'ECONNRESET' })])
  })

  test('ends a write that waits', async () => {
    const { near, far, errors } = await connectedStreams()
    far.pause()
    const written = new Promise((resolve) => near.write(randomBytes(MUCH), resolve))
    await delay(20)
    far.destroy()
    expect(await written).toMatchObject({ code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) })
    await until(() => near.closed)
    expect(errors).toHaveLength(1)
  })

  test('of a type whose packets would run together leaves the connection to the caller', async () => {
    const { fd, path } = listeningSocket('seqpacket')
    const listener = new ConnectionListener(fd, { onConnection() {}, onError() {} })
    onTestFinished(() => listener.close())
    const address = { family: 'unix', path } as const
    const connection = await connectSocket({ type: 'seqpacket', address })
    onTestFinished(() => connection.close())
    expect(() => new ConnectionStream(connection)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    )
    expect(connection.fd).toBeGreaterThan(0)
  })
})

describe('destroying', () => {
  test('closes the descriptor, once, and ends a write that waits', async () => {
    const { near, far, errors } = await connectedStreams()
    const { fd } = near.connection
    const ours = openFds().find((open) => open.startsWith(`${fd} socket:`))
    let closes = 0
    near.on('close', () => closes++)
    far.pause()
    const written = new Promise((resolve) => near.write(randomBytes(MUCH), resolve))
    await delay(20)
    near.destroy()
    near.destroy()
    expect(await written).toMatchObject({ code: 'ECANCELED' })
    far.destroy()
    // Not whether there are as many descriptors as before: those of other tests are being closed on threads.
    await until(() => closes > 0 && !openFds().includes(ours!))
    expect([typeof ours, closes, errors]).toEqual(['string', 1, []])
  })

  test('with an error tells it', async () => {
    const { near, errors } = await connectedStreams()
    const error = new Error('enough')
    near.destroy(error)
    await until(() => errors.length > 0)
    expect(errors).toEqual([error])
  })

  test('while data is delivered delivers no more', async () => {
    const { near, far } = await connectedStreams()
    let count = 0
    near.on('data', () => {
      count++
      near.destroy()
    })
    far.write(randomBytes(MUCH))
    await once(near, 'close')
    expect(count).toBe(1)
  })
})

test('descriptors that the other end sends along are closed', async () => {
  const listening = listeningSocket()
  const address = { family: 'unix', path: listening.path } as const
  const accepted = new Promise<Connection>((resolve, reject) => {
    const listener = new ConnectionListener(listening.fd, {
      onConnection: resolve,
      onError: reject,
    })
    onTestFinished(() => listener.close())
  })
  const far = await connectSocket({ type: 'stream', address })
  const near = new ConnectionStream(await accepted)
  onTestFinished(() => {
    far.close()
    near.destroy()
  })
  let received = ''
  near.on('data', (data) => (received += String(data)))
  const path = join(temporaryDirectory(), 'passed')
  const file = openSync(path, 'w')
  onTestFinished(() => closeSync(file))
  const copies = (): number => openFds().filter((open) => open.endsWith(` ${path}`)).length
  far.trySend(Buffer.from('one'))
  await until(() => received === 'one')
  for (let count = 0; count < 20; count++) far.trySend(Buffer.from('x'), { fds: [file, file] })
  await until(() => received.length === 23)
  await until(() => copies() === 1)
})

describe('setTimeout', () => {
  test('tells of silence, and closes nothing', async () => {
    const { near } = await connectedStreams()
    let calls = 0
    expect(near.setTimeout(10, () => calls++)).toBe(near)
    await once(near, 'timeout')
    expect([calls, near.destroyed]).toEqual([1, false])
  })

  test.each(['sent', 'received'])('starts anew with each byte that is %s', async (direction) => {
    const { near, far } = await connectedStreams()
    far.resume()
    near.resume()
    const silent = await connectedStreams()
    const order: string[] = []
    near.setTimeout(1000, () => order.push('after activity'))
    silent.near.setTimeout(1200, () => order.push('after longer silence'))
    await delay(700)
    const [writer, reader] = direction === 'sent' ? [near, far] : [far, near]
    writer.write('x')
    await once(reader, 'data')
    await until(() => order.length === 2)
    expect(order).toEqual(['after longer silence', 'after activity'])
  })

  test('of 0 ends it, with its listener', async () => {
    const { near } = await connectedStreams()
    let calls = 0
    const onTimeout = (): void => void calls++
    near.setTimeout(10, onTimeout)
    near.setTimeout(0, onTimeout)
    await delay(50)
    expect([calls, near.listenerCount('timeout')]).toEqual([0, 0])
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number])(
    'of %s is refused',
    async (timeoutMs) => {
      const { near } = await connectedStreams()
      expect(() => near.setTimeout(timeoutMs)).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      )
    },
  )

  test('of more than a timer can take is as long as a timer can be', async () => {
    const { near } = await connectedStreams()
    let timeouts = 0
    near.setTimeout(2 ** 40).on('timeout', () => timeouts++)
    await delay(50)
    expect(timeouts).toBe(0)
  })
})

test('the other end has an address', async () => {
  const listening = listeningSocket()
  const accepted = new Promise<Connection>((resolve, reject) => {
    const listener = new ConnectionListener(listening.fd, {
      onConnection: resolve,
      onError: reject,
    })
    onTestFinished(() => listener.close())
  })
  const address = { family: 'unix', path: listening.path } as const
  const far = new ConnectionStream(await connectSocket({ type: 'stream', address }))
  const near = await accepted
  onTestFinished(() => {
    far.destroy()
    near.close()
  })
  expect(far.peerAddress).toBe(listening.path)
  far.destroy()
  expect(far.peerAddress).toBe(listening.path)
})
