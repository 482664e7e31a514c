import http from 'node:http'
import { expect, test, describe } from 'vitest'
import { askHttp, askStream, askUdp, freePort } from './client.js'
import { Program } from './program.js'
import { socketPath, tcp, udp, unix } from './sockets.js'
import { listenOrBind } from '../src/index.js'

const HTTP = `
import http from 'node:http'
const server = http.createServer((request, response) => response.end('hello'))
`

describe('a server of a service that was passed a socket', () => {
  test('listens on the TCP socket of its name', async () => {
    const [other, web] = [tcp(), tcp()]
    const program = new Program(
      `${HTTP} say(await listenOrBind(server, { name: 'web', fallback: 1 }))`,
      { fds: [other.fd, web.fd], names: 'other:web' },
    )
    expect(await program.said()).toEqual({ inherited: true, address: `127.0.0.1:${web.port}` })
    expect(await askHttp({ port: web.port })).toBe('hello')
  })

  test('listens on a unix socket', async () => {
    const path = socketPath()
    const program = new Program(`${HTTP} say(await listenOrBind(server, { name: 'web' }))`, {
      fds: [unix('stream', path).fd],
      names: 'web',
    })
    expect(await program.said()).toEqual({ inherited: true, address: path })
    expect(await askHttp({ socketPath: path })).toBe('hello')
  })

  test('leaves the sockets of other names to others', async () => {
    const program = new Program(
      `${HTTP} await listenOrBind(server, { name: 'b' })
       say(unclaimedFds().map(({ name }) => name))
       say(takeFds('c').map(({ fd }) => fd)), say(listenFds().map(({ fd }) => fd)), say(listenFds())`,
      { fds: [tcp().fd, tcp().fd, tcp().fd], names: 'a:b:c' },
    )
    expect(await program.said()).toEqual(['a', 'c'])
    expect(await program.said()).toEqual([5])
    expect(await program.said()).toEqual([3])
    expect(await program.said()).toEqual([])
  })

  test('finds the one that it can use among several of one name', async () => {
    const [stream, datagram] = [tcp(), udp()]
    const program = new Program(
      `import dgram from 'node:dgram'
       import net from 'node:net'
       const socket = dgram.createSocket('udp4', (data, { port, address }) => socket.send('over UDP', port, address))
       const server = net.createServer((client) => client.end('over TCP'))
       say([await listenOrBind(server, { name: 'dns' }), await listenOrBind(socket, { name: 'dns' })])`,
      { fds: [datagram.fd, stream.fd], names: 'dns:dns' },
    )
    expect(await program.said()).toEqual([
      { inherited: true, address: `127.0.0.1:${stream.port}` },
      { inherited: true, address: `127.0.0.1:${datagram.port}` },
    ])
    expect(await askStream({ port: stream.port }, '')).toBe('over TCP')
    expect(await askUdp('127.0.0.1', datagram.port, '?')).toBe('over UDP')
  })

  test('takes each of two that have the same name in turn', async () => {
    const program = new Program(
      `import net from 'node:net'
       for (const _ of [1, 2]) say((await listenOrBind(net.createServer(), { name: 'web' })).address)`,
      { fds: [tcp().fd, tcp('::1').fd], names: 'web:web' },
    )
    expect(await program.said()).toMatch(/^127/)
    expect(await program.said()).toMatch(/^\[::1\]/)
  })

  test('takes the only one, if it has no name', async () => {
    const program = new Program(`${HTTP} say(await listenOrBind(server, { name: 'web' }))`, {
      fds: [tcp().fd],
    })
    expect(await program.said()).toMatchObject({ inherited: true })
  })

  test('takes none of several without names', async () => {
    const program = new Program(
      `${HTTP} say((await listenOrBind(server, { name: 'web', fallback: 0 })).inherited)`,
      { fds: [tcp().fd, tcp().fd] },
    )
    expect(await program.said()).toBe(false)
  })

  // Node's own default lowers it to 511.
  test('keeps the backlog of the unit', async () => {
    const { fd } = tcp('127.0.0.1', 77)
    const program = new Program(
      `${HTTP} import { listenBacklog } from '@sdbridge/syscalls'
       await listenOrBind(server, { name: 'web' }), say(listenBacklog(3))`,
      { fds: [fd], names: 'web' },
    )
    expect(await program.said()).toBe(77)
  })

  test('takes another backlog on request', async () => {
    const program = new Program(
      `${HTTP} import { listenBacklog } from '@sdbridge/syscalls'
       await listenOrBind(server, { backlog: 99 }), say(listenBacklog(3))`,
      { fds: [tcp().fd] },
    )
    expect(await program.said()).toBe(99)
  })

  test('is refused what it cannot use, by name', async () => {
    const program = new Program(
      `${HTTP} await listenOrBind(server, { name: 'web', fallback: 0 }).catch(({ code, message }) => say({ code, message }))
       say(unclaimedFds().length)`,
      { fds: [udp().fd], names: 'web' },
    )
    expect(await program.said()).toMatchObject({
      code: 'ERR_LISTEN_FDS_WRONG_KIND',
      message: expect.stringContaining('expected tcp-listener or unix-listener') as string,
    })
    expect(await program.said()).toBe(1)
  })

  test('a datagram socket of the other family is refused', async () => {
    const program = new Program(
      `import dgram from 'node:dgram'
       await listenOrBind(dgram.createSocket('udp4')).catch(({ code, message }) => say({ code, message }))
       say(await listenOrBind(dgram.createSocket('udp6')))`,
      { fds: [udp('::1').fd] },
    )
    expect(await program.said()).toMatchObject({
      code: 'ERR_LISTEN_FDS_WRONG_KIND',
      message: expect.stringContaining("createSocket('udp6')") as string,
    })
    expect(await program.said()).toMatchObject({ inherited: true })
  })
})

describe('a server without an inherited socket', () => {
  test('listens on a port', async () => {
    const server = http.createServer((_request, response) => response.end('hello'))
    const { inherited, address } = await listenOrBind(server, { name: 'web', fallback: 0 })
    expect(inherited).toBe(false)
    expect(await askHttp({ host: '::1', port: Number(/^\[::\]:(\d+)$/.exec(address!)![1]) })).toBe(
      'hello',
    )
    server.close()
  })

  test('listens as the options say, backlog included', async () => {
    const server = http.createServer()
    const fallback = { port: await freePort(), host: '127.0.0.1' }
    expect(await listenOrBind(server, { fallback, backlog: 5 })).toEqual({
      inherited: false,
      address: `127.0.0.1:${fallback.port}`,
    })
    server.close()
  })

  test('listens on a path', async () => {
    const server = http.createServer()
    const path = socketPath()
    expect(await listenOrBind(server, { fallback: path })).toEqual({
      inherited: false,
      address: path,
    })
    server.close()
  })

  test('tells of a port that is taken', async () => {
    const { port } = tcp()
    const attempt = listenOrBind(http.createServer(), { fallback: { port, host: '127.0.0.1' } })
    await expect(attempt).rejects.toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
  })

  test('is told what to do where there is no fallback', async () => {
    await expect(listenOrBind(http.createServer(), { name: 'web' })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_LISTEN_FDS_NOT_PASSED',
        fdName: 'web',
        message: expect.stringMatching(
          /^there is no inherited socket named "web" .* passed: nothing\. Start it by a \.socket unit/,
        ) as string,
      }),
    )
  })

  test('warns if other names were passed', async () => {
    const program = new Program(
      `${HTTP} await listenOrBind(server, { name: 'web', fallback: 0 }), server.close()`,
      { fds: [tcp().fd], names: 'app.socket' },
    )
    expect(await program.ended()).toBe(0)
    expect(await program.stderr).toMatch(
      /\[LISTEN_FDS_NO_SUCH_NAME\] .* socket named "web".*; passed: 3 "app\.socket" \(tcp-listener\)\. FileDescriptorName=/,
    )
  })
})

test('what is no server is refused', async () => {
  for (const value of [undefined, {}, () => {}]) {
    await expect(listenOrBind(value as http.Server)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    )
  }
})
