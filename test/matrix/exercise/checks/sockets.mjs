import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { openSync, readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import {
  bindSocket,
  closeFd,
  describeSocket,
  duplicateFd,
  formatSocketAddress,
  socketCookie,
} from '@sdbridge/syscalls'

const anyPort = { family: 'inet', address: '127.0.0.1', port: 0 }

export const sockets = {
  async 'a TCP socket that was bound here serves under node:net'(scope) {
    const fd = bindSocket({ type: 'stream', address: anyPort })
    const facts = describeSocket(fd)
    assert.deepEqual(
      { ...facts, localAddress: facts.localAddress.address },
      { domain: 'inet', type: 'stream', protocol: 6, listening: true, localAddress: '127.0.0.1' },
    )
    await serve(scope, fd)
    assert.equal(await text(connect(facts.localAddress.port, '127.0.0.1')), 'served\n')
  },

  async 'a unix socket that was bound here serves under node:net'(scope) {
    const path = join(scope.temporaryDirectory(), 'web.sock')
    const fd = bindSocket({ type: 'stream', address: { family: 'unix', path } })
    assert.deepEqual(describeSocket(fd), {
      domain: 'unix',
      type: 'stream',
      protocol: 0,
      listening: true,
      localAddress: { family: 'unix', path },
    })
    await serve(scope, fd)
    assert.equal(await text(connect(path)), 'served\n')
  },

  async 'a UDP socket that was bound here receives under node:dgram'(scope) {
    const fd = bindSocket({ type: 'dgram', address: anyPort })
    const { localAddress, ...facts } = describeSocket(fd)
    assert.deepEqual(facts, { domain: 'inet', type: 'dgram', protocol: 17, listening: false })
    const receiver = createSocket('udp4')
    // With a descriptor there is nothing to look up: it tells before bind() returns.
    const listening = once(receiver, 'listening')
    receiver.bind({ fd })
    await listening
    scope.closing(receiver)
    const sender = scope.closing(createSocket('udp4'))
    sender.send('hello', localAddress.port, '127.0.0.1')
    assert.equal(String((await once(receiver, 'message'))[0]), 'hello')
  },

  'a seqpacket socket is bound and described'(scope) {
    const path = join(scope.temporaryDirectory(), 'seqpacket.sock')
    const fd = bindSocket({ type: 'seqpacket', address: { family: 'unix', path } })
    scope.after(() => closeFd(fd))
    const { type, listening } = describeSocket(fd)
    assert.deepEqual({ type, listening }, { type: 'seqpacket', listening: true })
  },

  async 'both ends of a connection are described, IPv6 too'(scope) {
    const address = { family: 'inet6', address: '::1', port: 0 }
    let fd
    try {
      fd = bindSocket({ type: 'stream', address })
    } catch (error) {
      // A machine without IPv6 is no failure of ours; its error must be the kernel's.
      assert.match(error.code, /^(EADDRNOTAVAIL|EAFNOSUPPORT)$/)
      return
    }
    const { localAddress } = describeSocket(fd)
    assert.equal(formatSocketAddress(localAddress), `[::1]:${localAddress.port}`)
    const accepted = new Promise((resolve) => {
      const server = createServer(resolve).listen({ fd })
      scope.closing(server)
    })
    const client = connect(localAddress.port, '::1')
    scope.after(() => client.destroy())
    const [connection] = await Promise.all([accepted, once(client, 'connect')])
    scope.after(() => connection.destroy())
    const facts = openSockets().find(({ peerAddress }) => peerAddress?.port === client.localPort)
    assert.equal(facts.localAddress.port, localAddress.port)
    assert.equal(facts.listening, false)
  },

  'a socket is told from others by its cookie'(scope) {
    const [one, other] = [anyPort, anyPort].map((address) => bindSocket({ type: 'dgram', address }))
    const duplicate = duplicateFd(one)
    scope.after(() => [one, other, duplicate].forEach(closeFd))
    assert.equal(typeof socketCookie(one), 'bigint')
    assert.equal(socketCookie(one), socketCookie(duplicate))
    assert.notEqual(socketCookie(one), socketCookie(other))
  },

  'what is no socket is not described'(scope) {
    const fd = openSync('/dev/null')
    scope.after(() => closeFd(fd))
    assert.equal(describeSocket(fd), undefined)
  },
}

async function serve(scope, fd) {
  const server = createServer((connection) => connection.end('served\n'))
  server.listen({ fd })
  await once(server, 'listening')
  scope.closing(server)
}

/** Node does not tell a connection's descriptor. */
function openSockets() {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return describeSocket(Number(fd)) ?? []
    } catch {
      return []
    }
  })
}
