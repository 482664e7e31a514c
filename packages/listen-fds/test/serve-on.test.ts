import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { closeFd } from '@sdbridge/syscalls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { works } from '../../../test/support/real-program.js'
import type { ConnectionStream } from '../src/connection-stream.js'
import { serveOn, type ServedListener } from '../src/serve-on.js'
import { listeningSocket, readToEnd } from './connected-streams.js'
import { isOpen, openFds, until } from './open-fds.js'

const MUCH = randomBytes(8 * 1024 * 1024)

interface Serving {
  served: ServedListener
  path: string
  streams: ConnectionStream[]
}

function serve(server: net.Server): Serving {
  const { fd, path } = listeningSocket()
  const streams: ConnectionStream[] = []
  server.on('connection', (stream) => streams.push(stream as unknown as ConnectionStream))
  const served = serveOn(fd, server)
  onTestFinished(async () => {
    for (const stream of streams) stream.destroy()
    await served.close()
  })
  return { served, path, streams }
}

function echo(request: http.IncomingMessage, response: http.ServerResponse): void {
  request.pipe(response)
}

async function ask(request: http.ClientRequest, body: Buffer): Promise<Buffer> {
  // Node says that all is written a moment after the response may have ended, and the server been closed.
  const written = new Promise<void>((resolve) => request.end(body, resolve))
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const answer = await readToEnd(response)
  await written
  return answer
}

// TLS and HTTP/2 say good-bye also when the server has closed already, which is an error at once over a unix socket.
function quiet<T extends NodeJS.EventEmitter>(client: T): T {
  return client.on('error', () => {})
}

async function askHttp2(session: http2.ClientHttp2Session, body: Buffer): Promise<Buffer> {
  const stream = quiet(session.request({ ':method': 'POST' }))
  stream.end(body)
  return await readToEnd(stream)
}

describe('carries much, both ways at once, for', () => {
  const hasOpenssl = works('openssl', 'version')
  let secret: { key: Buffer; cert: Buffer }
  beforeAll(() => {
    if (!hasOpenssl) return
    const folder = mkdtempSync(join(tmpdir(), 'sdbridge-test-'))
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')]
    const subject = ['-nodes', '-subj', '/CN=localhost', '-days', '2', '-keyout', key, '-out', cert]
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    execFileSync('openssl', ['req', ...kind, ...subject], { stdio: 'ignore' })
    secret = { key: readFileSync(key), cert: readFileSync(cert) }
    rmSync(folder, { recursive: true })
  })

  test('node:net', async () => {
    const { path } = serve(
      net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)),
    )
    const socket = net.connect({ path, allowHalfOpen: true })
    socket.end(MUCH)
    expect((await readToEnd(socket)).equals(MUCH)).toBe(true)
  })

  test('http', async () => {
    const { path } = serve(http.createServer(echo))
    const answer = await ask(http.request({ socketPath: path, method: 'POST' }), MUCH)
    expect(answer.equals(MUCH)).toBe(true)
  })

  test('http2 without encryption', async () => {
    const { path, streams } = serve(http2.createServer(echo as never))
    const session = http2.connect('http://localhost', {
      createConnection: () => net.connect(path),
    })
    expect((await askHttp2(session, MUCH)).equals(MUCH)).toBe(true)
    session.close()
    await until(() => streams.length === 1 && streams[0]!.closed)
  })

  test.skipIf(!hasOpenssl)('tls', async () => {
    const { path } = serve(
      tls.createServer({ ...secret, allowHalfOpen: true }, (socket) => socket.pipe(socket)),
    )
    const socket = quiet(tls.connect({ path, ca: secret.cert, servername: 'localhost' }))
    socket.on('secureConnect', () => socket.write(MUCH))
    const received: Buffer[] = []
    let length = 0
    socket.on('data', (data: Buffer) => {
      received.push(data)
      if ((length += data.length) === MUCH.length) socket.end()
    })
    await once(socket, 'close')
    expect(Buffer.concat(received).equals(MUCH)).toBe(true)
  })

  test.skipIf(!hasOpenssl)('https', async () => {
    const { path } = serve(https.createServer(secret, echo))
    const options = { socketPath: path, method: 'POST', ca: secret.cert, servername: 'localhost' }
    expect((await ask(https.request(options), MUCH)).equals(MUCH)).toBe(true)
  })

  test.skipIf(!hasOpenssl)('http2', async () => {
    const { path, streams } = serve(http2.createSecureServer(secret, echo as never))
    const session = http2.connect('https://localhost', {
      createConnection: () =>
        quiet(
          tls.connect({ path, ca: secret.cert, servername: 'localhost', ALPNProtocols: ['h2'] }),
        ),
    })
    quiet(session)
    expect((await askHttp2(session, MUCH)).equals(MUCH)).toBe(true)
    session.close()
    await until(() => streams.length === 1 && streams[0]!.closed)
  })
})

describe('http', () => {
  test('under load: many requests on many connections', async () => {
    const { path, streams } = serve(http.createServer(echo))
    const agent = new http.Agent({ keepAlive: true, maxSockets: 20 })
    onTestFinished(() => agent.destroy())
    const bodies = Array.from({ length: 1000 }, (_, index) =>
      MUCH.subarray(index * 7919, index * 7919 + (index % 100) * 700),
    )
    const answers = await Promise.all(
      bodies.map(async (body) =>
        ask(http.request({ socketPath: path, method: 'POST', agent }), body),
      ),
    )
    expect(answers.filter((answer, index) => !answer.equals(bodies[index]!))).toEqual([])
    expect(streams.length).toBeLessThanOrEqual(40)
  })

  test('with clients that go away in between leaves no descriptor open', async () => {
    // Whatever Node opens once for all.
    await ask(http.request({ socketPath: serve(http.createServer(echo)).path }), Buffer.alloc(0))
    const errors: unknown[] = []
    const { path, streams } = serve(
      http.createServer((request, response) => {
        request.on('error', (error) => errors.push(error))
        response.on('error', (error) => errors.push(error))
        request.resume()
        response.write(MUCH)
      }),
    )
    const before = openFds().length
    for (let count = 0; count < 20; count++) {
      const request = http.request({ socketPath: path, method: 'POST', agent: false })
      request.on('error', () => {})
      request.write('more to come')
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      response.on('error', () => {})
      if (count % 2 === 0) await once(response, 'data')
      request.destroy()
    }
    await until(() => streams.length === 20 && streams.every(({ closed }) => closed))
    await until(() => openFds().length <= before)
  })

  test('waits for a client that reads slowly', async () => {
    let drains = 0
    const { path } = serve(
      http.createServer((_request, response) => {
        response.write(MUCH)
        response.once('drain', () => {
          drains++
          response.end(MUCH)
        })
      }),
    )
    const request = http.get({ socketPath: path })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    const body = await readToEnd(response, 1)
    const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex')
    expect(digest(body)).toBe(digest(Buffer.concat([MUCH, MUCH])))
    expect(drains).toBe(1)
  })

  // A server says by `allowHalfOpen` that it answers after the end of what it reads.
  test('answers a client that has ended its direction', async () => {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.resume().once('end', () => setTimeout(() => socket.end('hello'), 20))
    })
    const { path } = serve(server)
    const socket = net.connect({ path, allowHalfOpen: true })
    socket.end('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect((await readToEnd(socket)).toString()).toContain('hello')
  })

  test('gives up a client that is too slow with its request', async () => {
    const server = http.createServer({ connectionsCheckingInterval: 20 }, echo)
    server.headersTimeout = 50
    const { path } = serve(server)
    const socket = net.connect(path)
    socket.write('GET / HTTP/1.1\r\n')
    expect((await readToEnd(socket)).toString()).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('ends a connection that is silent for too long', async () => {
    const { path, streams } = serve(http.createServer({ keepAliveTimeout: 30 }, echo))
    const agent = new http.Agent({ keepAlive: true })
    onTestFinished(() => agent.destroy())
    await ask(http.request({ socketPath: path, method: 'POST', agent }), Buffer.from('x'))
    await until(() => streams.length === 1 && streams[0]!.closed)
  })

  test('hands a connection over that is upgraded', async () => {
    const server = http.createServer(echo)
    server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
      socket.pipe(socket)
    })
    const { path } = serve(server)
    const headers = { Connection: 'Upgrade', Upgrade: 'x' }
    const request = http.get({ socketPath: path, headers })
    const [, socket] = (await once(request, 'upgrade')) as [unknown, net.Socket]
    socket.end('echo')
    expect((await readToEnd(socket)).toString()).toBe('echo')
  })
})

describe('closing', () => {
  test('accepts no more, and resolves when what is under way is done', async () => {
    const responses: http.ServerResponse[] = []
    const server = http.createServer((_request, response) => responses.push(response))
    const { path, served, streams } = serve(server)
    const { fd } = served
    const request = http.get({ socketPath: path, agent: false })
    await until(() => responses.length === 1)
    let isClosed = false
    const closed = served.close().then(() => (isClosed = true))
    await expect(once(net.connect(path), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect([served.fd, isClosed, streams[0]!.destroyed]).toEqual([-1, false, false])
    responses[0]!.end('done')
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    expect((await readToEnd(response)).toString()).toBe('done')
    await closed
    await served.close()
    await until(() => !isOpen(fd))
  })

  test('ends idle connections of a server that listens nowhere else, and the server', async () => {
    const server = http.createServer(echo)
    const { path, served } = serve(server)
    const agent = new http.Agent({ keepAlive: true })
    onTestFinished(() => agent.destroy())
    await ask(http.request({ socketPath: path, method: 'POST', agent }), Buffer.from('x'))
    const ended = once(server, 'close')
    await served.close()
    await ended
  })

  test('leaves a server alone that listens elsewhere', async () => {
    const server = http.createServer((_request, response) => response.end('hello'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    let listenings = 0
    server.on('listening', () => listenings++)
    const { path, served } = serve(server)
    await ask(http.request({ socketPath: path, agent: false }), Buffer.alloc(0))
    await served.close()
    const { port } = server.address() as net.AddressInfo
    const body = await ask(http.request({ host: '127.0.0.1', port, agent: false }), Buffer.alloc(0))
    expect([body.toString(), listenings]).toEqual(['hello', 0])
  })

  test('happens when the server is closed', async () => {
    const server = http.createServer(echo)
    const { served } = serve(server)
    await once(server, 'listening')
    const error = await new Promise((resolve) => server.close(resolve))
    expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' })
    expect(served.fd).toBe(-1)
    await served.close()
  })
})

test('connections beyond maxConnections are dropped', async () => {
  const server = net.createServer()
  server.maxConnections = 1
  const { path, streams } = serve(server)
  const first = net.connect(path)
  await until(() => streams.length === 1)
  const dropped = once(server, 'drop')
  await once(net.connect(path).resume(), 'close')
  await dropped
  first.destroy()
  await until(() => streams[0]!.closed)
  const third = net.connect(path)
  await until(() => streams.length === 2)
  third.destroy()
})

test('a client that has gone before it is accepted is no error', async () => {
  const { fd, path } = listeningSocket()
  const gone = net.connect(path)
  await once(gone, 'connect')
  gone.end('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  gone.destroy()
  const requests: string[] = []
  const served = serveOn(
    fd,
    http.createServer((request, response) => {
      requests.push(request.url ?? '')
      response.end(MUCH)
    }),
  )
  const body = await ask(http.request({ socketPath: path, path: '/2' }), Buffer.alloc(0))
  expect(body.equals(MUCH)).toBe(true)
  expect(requests.at(-1)).toBe('/2')
  await served.close()
})

test.each([
  ['a seqpacket listener', () => listeningSocket('seqpacket').fd],
  ['a file', () => openSync('/dev/null', 'r')],
])('%s is refused, and stays open', (_what, open) => {
  const fd = open()
  const server = net.createServer()
  expect(() => serveOn(fd, server)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
  )
  expect(isOpen(fd)).toBe(true)
  expect(server.listenerCount('close')).toBe(0)
  closeFd(fd)
})
