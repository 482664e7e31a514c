import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { bindSocket, connectSocket, pipe } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { callDaemon, followDaemon } from '../src/control/call-daemon.js'
import { type ControlRequest, decodeRequest, encodeLine } from '../src/control/control-message.js'
import { ControlServer } from '../src/daemon/control-server.js'
import { EventStream } from '../src/daemon/event-stream.js'
import { closeWithTest } from './daemon/daemon-bench.js'
import { until } from './proxy/bench.js'
import { openFds, untilOpen } from './proxy/open-fds.js'

/** A control server for one test, which answers with what it was asked. */
class Server {
  readonly path = join(temporaryDirectory(), 'control.sock')
  readonly events = new EventStream()
  readonly refusals: string[] = []
  readonly asked: ControlRequest[] = []
  readonly server: ControlServer

  constructor(judge: () => void = () => {}) {
    const address = { family: 'unix', path: this.path } as const
    this.server = new ControlServer({
      fd: bindSocket({ type: 'stream', address }),
      judge: (connection) => {
        judge()
        return { pid: connection.peer.pid, unit: undefined }
      },
      answer: (request) => {
        this.asked.push(request)
        if (request.command === 'unregister') throw new Error('there is no such container')
        return { command: request.command }
      },
      events: this.events,
      onRefused: (reason) => this.refusals.push(reason),
    })
    onTestFinished(() => this.server.close())
  }

  connect(): Socket {
    const socket = connect(this.path).on('error', () => {})
    onTestFinished(() => void socket.destroy())
    return socket
  }

  /** What is answered to these bytes. */
  async say(bytes: string | Buffer): Promise<string> {
    const socket = this.connect()
    socket.write(bytes)
    return await text(socket)
  }
}

const LIST = encodeLine({ command: 'list' })

async function expectRefusal(said: string | Buffer, error: string): Promise<void> {
  const server = new Server()
  expect(await server.say(said)).toContain(error)
  expect(server.asked).toEqual([])
  expect(server.refusals).toHaveLength(1)
  expect(await callDaemon(server.path, { command: 'list' })).toBeDefined()
}

describe('at the control socket', () => {
  test('a request has one answer', async () => {
    const server = new Server()
    expect(await callDaemon(server.path, { command: 'list' })).toEqual({
      version: 1,
      command: 'list',
    })
    await expect(
      callDaemon(server.path, { command: 'unregister', name: 'web', id: 'x' }),
    ).rejects.toThrow('there is no such container')
    expect(server.refusals).toEqual(['there is no such container'])
  })

  test('what follows a request is nobody’s', async () => {
    const server = new Server()
    expect(await server.say(LIST + LIST)).toBe(encodeLine({ command: 'list' }))
    expect(server.asked).toHaveLength(1)
  })

  test('a request may come in pieces', async () => {
    const server = new Server()
    const socket = server.connect()
    for (const piece of LIST) {
      socket.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await text(socket)).toBe(encodeLine({ command: 'list' }))
  })

  test.each<[said: string, error: string]>([
    ['\n', 'expected a line of JSON'],
    ['GET / HTTP/1.1\r\n\r\n', 'expected a line of JSON'],
    ['[]\n', 'expected an object'],
    ['null\n', 'expected an object'],
    ['{"command":"list"}\n', 'expected version 1, found undefined'],
    ['{"version":2,"command":"list"}\n', 'expected version 1, found 2'],
    [encodeLine({ command: 'stop' }), 'expected a command: register, unregister, list or events'],
    [encodeLine({ command: '__proto__' }), 'expected a command'],
    [encodeLine({ command: 'register' }), 'expected a container'],
    [
      encodeLine({ command: 'register', name: '../web', container: { id: 'x', engine: 'y' } }),
      'expected a name',
    ],
    [
      encodeLine({
        command: 'register',
        name: 'x'.repeat(62),
        container: { id: 'x', engine: 'y' },
      }),
      'expected a name',
    ],
    [
      encodeLine({ command: 'register', name: 'web', container: { id: '', engine: 'y' } }),
      'expected id',
    ],
    [
      encodeLine({ command: 'register', name: 'web', container: { id: 'a\nb', engine: 'y' } }),
      'expected id',
    ],
    [
      encodeLine({
        command: 'register',
        name: 'web',
        container: { id: 'x', engine: 'y', pid: -1 },
      }),
      'expected the number of a process',
    ],
    [
      encodeLine({
        command: 'register',
        name: 'web',
        container: { id: 'x', engine: 'y' },
        annotatedUnit: '/etc',
      }),
      'expected the name of a unit',
    ],
    [
      encodeLine({
        command: 'register',
        name: 'web',
        container: { id: 'x', engine: 'y' },
        isRemoved: 1,
      }),
      'expected true as isRemoved',
    ],
  ])('%j is refused', (said, error) => expectRefusal(said, error))

  test('what is longer than a request is refused, and what is no text', async () => {
    await expectRefusal('x'.repeat(64 * 1024), 'longer than 65536 bytes')
    await expectRefusal(randomBytes(200_000), '')
  })

  test('whoever may not ask is told why, before anything is read', async () => {
    const server = new Server(() => {
      throw new Error('process 1 is another’s')
    })
    await expect(callDaemon(server.path, { command: 'list' })).rejects.toThrow(
      'process 1 is another’s',
    )
    expect(server.asked).toEqual([])
  })

  test('whoever says nothing is sent away', { timeout: 20_000 }, async () => {
    const server = new Server()
    const silent = Array.from({ length: 64 }, () => server.connect())
    // All room is taken as soon as they have been accepted: the next one is sent away at once.
    const whyNot = (): Promise<string> =>
      callDaemon(server.path, { command: 'list' }).then(
        () => 'it may',
        (error: Error) => error.message,
      )
    await expect.poll(whyNot, { timeout: 10_000 }).toBe('too many ask at once')
    const answers = await Promise.all(silent.map((socket) => text(socket)))
    expect(new Set(answers)).toEqual(new Set([encodeLine({ error: 'no request in 5 s' })]))
    await expect.poll(whyNot).toBe('it may')
  })

  test('whoever leaves in the middle leaves nothing behind', async () => {
    const server = new Server()
    await callDaemon(server.path, { command: 'list' })
    const before = openFds().length
    for (const said of ['', '{"version":1', LIST]) {
      const socket = server.connect()
      await new Promise((resolve) => socket.write(said || ' ', resolve))
      socket.destroy()
    }
    await untilOpen(before)
    expect(await callDaemon(server.path, { command: 'list' })).toBeDefined()
  })

  test('descriptors that are sent along are closed', async () => {
    const server = new Server()
    const before = openFds().length
    const { readFd, writeFd } = pipe()
    closeWithTest([readFd, writeFd])
    const connection = await connectSocket({
      type: 'stream',
      address: { family: 'unix', path: server.path },
    })
    connection.trySend(Buffer.from(LIST), { fds: [readFd, writeFd] })
    await until(() => server.asked.length === 1)
    connection.close()
    await untilOpen(before + 2)
  })
})

describe('the events', () => {
  test('are followed from then on, by all who ask', async () => {
    const server = new Server()
    const seen: unknown[][] = [[], []]
    const end = new AbortController()
    const following = seen.map((list) =>
      followDaemon(server.path, (event) => list.push(event), end.signal),
    )
    await until(() => server.events.isFollowed)
    await new Promise((resolve) => setTimeout(resolve, 50))
    server.events.tell({ event: 'ready', name: 'web', unit: 'web.service' })
    await until(() => seen.every((list) => list.length === 1))
    expect(seen[0]![0]).toMatchObject({ version: 1, event: 'ready', name: 'web' })
    end.abort()
    await Promise.all(following)
    await until(() => !server.events.isFollowed)
  })

  test('nobody who reads slowly can make the daemon keep more than it has room for', async () => {
    const server = new Server()
    const socket = server.connect().pause()
    socket.write(encodeLine({ command: 'events' }))
    await until(() => server.events.isFollowed)
    for (let count = 0; count < 20_000; count++)
      server.events.tell({ event: 'status', name: 'web', text: 'x'.repeat(200) })
    expect(server.events.isFollowed).toBe(false)
    const lines = (await text(socket)).trimEnd().split('\n')
    expect(lines.length).toBeLessThan(20_000)
    expect(lines.at(-1)).toContain('read too slowly')
  })
})

test('without a daemon, it is said what to do', async () => {
  await expect(
    callDaemon(join(temporaryDirectory(), 'none.sock'), { command: 'list' }),
  ).rejects.toThrow(/^expected sdbridge daemon at .*: systemctl start sdbridge.socket$/)
})

test('a request comes out as it went in', () => {
  const request = {
    command: 'register',
    name: 'web.service',
    container: { id: '0123', engine: 'podman', pid: 4711 },
    annotatedUnit: String.raw`odd\x2dname@1.service`,
    isRemoved: true,
  } as const
  expect(decodeRequest(encodeLine(request))).toEqual(request)
})
