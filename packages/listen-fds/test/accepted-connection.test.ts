import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { Program } from './program.js'
import { connected, tcp, udp } from './sockets.js'

const SAY = `const client = connection(JSON.parse(process.argv[1] ?? '{}'))
  say(client === undefined ? 'none' : { ...client, socketCookie: String(client.socketCookie) })`

describe('the connection of an instance', () => {
  test('is taken with what the manager says of it', async () => {
    const { fd } = await connected()
    const env = { REMOTE_ADDR: '127.0.0.1', REMOTE_PORT: '4711', SO_COOKIE: '18446744073709551615' }
    const program = new Program(SAY, { fds: [fd], names: 'connection', env })
    expect(await program.said()).toMatchObject({
      fd: 3,
      name: 'connection',
      kind: 'connection',
      family: 'inet',
      remoteAddress: '127.0.0.1',
      remotePort: 4711,
      socketCookie: '18446744073709551615',
    })
  })

  test('is taken without, and with nonsense', async () => {
    const nonsense = { REMOTE_ADDR: '', REMOTE_PORT: 'x', SO_COOKIE: '-1' }
    for (const env of [undefined, nonsense]) {
      const program = new Program(SAY, { fds: [(await connected()).fd], ...(env && { env }) })
      const said = (await program.said()) as object
      expect(said).toMatchObject({ kind: 'connection', socketCookie: 'undefined' })
      expect(said).not.toHaveProperty('remoteAddress')
      expect(said).not.toHaveProperty('remotePort')
    }
  })

  test('answers its client, and leaves the other descriptors', async () => {
    const { fd, client } = await connected()
    const program = new Program(
      `import net from 'node:net'
       new net.Socket(connection()).end('hello'), say(unclaimedFds().map(({ name }) => name))`,
      { fds: [fd, tcp().fd], names: 'connection:stored' },
    )
    expect((await client.toArray()).join('')).toBe('hello')
    expect(await program.said()).toEqual(['stored'])
  })

  test('is none where a listening socket was passed, or nothing', async () => {
    expect(await new Program(SAY, { fds: [tcp().fd] }).said()).toBe('none')
    expect(await new Program(SAY).said()).toBe('none')
  })
})

describe('standard input', () => {
  test('is the connection of an inetd-like instance', async () => {
    const { fd, client } = await connected()
    const env = { REMOTE_ADDR: '127.0.0.1' }
    const program = new Program(
      `import net from 'node:net'
       const client = connection({ stdin: true }); new net.Socket(client).end(client.remoteAddress)`,
      { stdin: fd, env },
    )
    expect((await client.toArray()).join('')).toBe('127.0.0.1')
    expect(await program.ended()).toBe(0)
  })

  test('is the listening socket of an inetd-like service', async () => {
    const { fd, port } = tcp()
    const program = new Program(
      `import net from 'node:net'
       net.createServer((client) => client.end('hello')).listen(standardInput().expect('tcp-listener'), () => say(1))`,
      { stdin: fd },
    )
    await program.said()
    expect((await net.connect(port, '127.0.0.1').toArray()).join('')).toBe('hello')
  })

  test('is closed to children', async () => {
    const program = new Program(
      `import { isCloexec } from '@sdbridge/syscalls'
       const { fd } = standardInput(); say([fd > 2, isCloexec(fd)])`,
      { stdin: udp().fd },
    )
    expect(await program.said()).toEqual([true, true])
  })

  test('is refused as a connection where it is none, and leaves nothing open', async () => {
    const program = new Program(
      `import { readdirSync } from 'node:fs'
       const open = () => readdirSync('/proc/self/fd').length
       const before = open()
       try { connection({ stdin: true }) } catch ({ code, found }) { say({ code, found, more: open() - before }) }`,
    )
    expect(await program.said()).toEqual({
      code: 'ERR_LISTEN_FDS_WRONG_KIND',
      found: 'special',
      more: 0,
    })
  })
})
