import { closeSync, openSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { socketFacts, socketFactsFromTables } from '../src/socket-facts.js'
import { askHttp, askUdp } from './client.js'
import { Program } from './program.js'
import { socketPath, tcp, type TestSocket, udp, unix } from './sockets.js'

// The addon has no binary for such a machine.
const OTHER_MACHINE = [
  '--import',
  'data:text/javascript,Object.defineProperty(process,"arch",{value:"s390x"})',
]

describe('on a machine without a binary', () => {
  test('a TCP listener is adopted', async () => {
    const { fd, port } = tcp()
    const program = new Program(
      `import http from 'node:http'
       const server = http.createServer((request, response) => response.end('hello'))
       say(await listenOrBind(server, { name: 'web' }))`,
      { fds: [fd], names: 'web', nodeOptions: OTHER_MACHINE },
    )
    expect(await program.said()).toEqual({ inherited: true, address: `127.0.0.1:${port}` })
    expect(await askHttp({ port })).toBe('hello')
  })

  test('a UDP socket is adopted', async () => {
    const { fd, port } = udp('::1')
    const program = new Program(
      `import dgram from 'node:dgram'
       const socket = dgram.createSocket('udp6', (data, peer) => socket.send('hello', peer.port, peer.address))
       say(await listenOrBind(socket))`,
      { fds: [fd], nodeOptions: OTHER_MACHINE },
    )
    expect(await program.said()).toEqual({ inherited: true, address: `[::1]:${port}` })
    expect(await askUdp('::1', port, '?')).toBe('hello')
  })

  test('what else there is has its kind, and the binary is asked for where it is needed', async () => {
    const program = new Program(
      `const fds = listenFds()
       say(fds.map(({ kind, address }) => ({ kind, address })))
       try { fds[0].duplicate() } catch ({ code }) { say(code) }`,
      { fds: [unix('dgram', socketPath()).fd], nodeOptions: OTHER_MACHINE },
    )
    expect(await program.said()).toMatchObject([{ kind: 'unix-datagram' }])
    expect(await program.said()).toBe('ERR_SYSCALLS_UNAVAILABLE')
  })
})

describe('the tables of the kernel tell what its system calls tell', () => {
  test.each<[string, () => TestSocket]>([
    ['TCP over IPv4', () => tcp()],
    ['TCP over IPv6', () => tcp('::1')],
    ['TCP on all addresses', () => tcp('::')],
    ['UDP over IPv4', () => udp()],
    ['UDP over IPv6', () => udp('::1')],
    ['a unix stream socket', () => unix('stream', socketPath())],
    ['a unix datagram socket', () => unix('dgram', socketPath())],
    ['a unix sequential-packet socket', () => unix('seqpacket', socketPath())],
  ])('%s', (_name, open) => {
    const { fd } = open()
    const { peerAddress: _, ...facts } = socketFacts(fd)!
    expect(socketFactsFromTables(fd)).toEqual(facts)
  })

  test('nothing of what is no socket, or of another family', () => {
    const fd = openSync('/dev/null', 'r')
    onTestFinished(() => closeSync(fd))
    expect(socketFactsFromTables(fd)).toBeUndefined()
    expect(socketFactsFromTables(0x7fff_0000)).toBeUndefined()
  })
})
