import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { describeSocket, type SocketAddress } from '../src/index.js'
import { Inbox, openSender, openSocket } from './inbox.js'
import { openFds } from './open-fds.js'
import { python } from './program.js'

const hasPython = works(PYTHON, '--version')

function abstract(name: string | Uint8Array): SocketAddress {
  return { family: 'unix', abstract: new Uint8Array(Buffer.from(name)) }
}

function localAddress(fd: number): SocketAddress {
  return describeSocket(fd)!.localAddress
}

describe('a path', () => {
  test('makes a socket file, which a sender reaches', async () => {
    const path = join(temporaryDirectory(), 'notify.sock')
    const inbox = new Inbox({}, { family: 'unix', path })
    expect(statSync(path).isSocket()).toBe(true)
    expect(inbox.address).toEqual({ family: 'unix', path })

    openSocket().trySend(Buffer.from('hello'), { address: { family: 'unix', path } })
    await inbox.until(1)
    expect(inbox.texts).toEqual(['hello'])
  })

  test('of 107 bytes is used as it is', () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'x'.repeat(107 - directory.length - 1))
    const inbox = new Inbox({}, { family: 'unix', path })
    expect(inbox.address).toEqual({ family: 'unix', path })
    expect(existsSync(path)).toBe(true)
  })

  test('is measured in bytes, not in characters', () => {
    const directory = join(temporaryDirectory(), 'd'.repeat(40))
    mkdirSync(directory)
    const path = join(directory, 'ä'.repeat(30))
    expect(path.length).toBeLessThan(107)
    openSocket().bind({ family: 'unix', path })
    expect(statSync(path).isSocket()).toBe(true)
  })

  test('of more than 107 bytes can be bound to, connected to and sent to', async () => {
    const directory = join(temporaryDirectory(), 'd'.repeat(200), 'e'.repeat(200))
    mkdirSync(directory, { recursive: true })
    const path = join(directory, 'notify.sock')
    const address: SocketAddress = { family: 'unix', path }
    const inbox = new Inbox({}, address)
    expect(statSync(path).isSocket()).toBe(true)

    openSender(address).trySend(Buffer.from('connected'))
    openSocket().trySend(Buffer.from('sent to'), { address })
    await inbox.until(2)
    expect(inbox.texts).toEqual(['connected', 'sent to'])
  })

  test('reached through a descriptor leaves no descriptor behind', () => {
    const directory = join(temporaryDirectory(), 'd'.repeat(200))
    mkdirSync(directory)
    const socket = openSocket()
    const before = openFds()
    socket.bind({ family: 'unix', path: join(directory, 'notify.sock') })
    expect(() => socket.bind({ family: 'unix', path: join(directory, 'other.sock') })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    )
    expect(openFds()).toEqual(before)
  })

  test('whose file name alone is too long says so, with the path that was asked for', () => {
    const path = join(temporaryDirectory(), 'n'.repeat(255))
    expect(() => openSocket().bind({ family: 'unix', path })).toThrow(
      expect.objectContaining({
        code: 'ENAMETOOLONG',
        errno: -36,
        syscall: 'bind',
        address: path,
        message: `ENAMETOOLONG: name too long, bind '${path}'`,
      }),
    )
    expect(existsSync(path)).toBe(false)
  })

  test.each(['', 'a\0b'])('that no file can have (%j) is refused', (path) => {
    expect(() => openSocket().bind({ family: 'unix', path })).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
    )
  })
})

describe('an abstract name', () => {
  test.each([
    ['share a prefix', 'sdbridge-a', 'sdbridge-ab'],
    ['differ in trailing NULs', 'sdbridge-nul', 'sdbridge-nul\0'],
    ['differ in a NUL inside', 'sdbridge-x\0y', 'sdbridge-x\0z'],
    ['are empty and one NUL', '', '\0'],
    ['are of the greatest length', 'm'.repeat(107), `${'m'.repeat(106)}n`],
  ])('is not taken for another: two that %s', async (_how, one, other) => {
    const first = new Inbox({}, abstract(one))
    const second = new Inbox({}, abstract(other))
    expect(first.address).toEqual(abstract(one))
    expect(second.address).toEqual(abstract(other))

    openSender(abstract(one)).trySend(Buffer.from('one'))
    openSender(abstract(other)).trySend(Buffer.from('other'))
    await first.until(1)
    await second.until(1)
    expect([first.texts, second.texts]).toEqual([['one'], ['other']])
  })

  test('that is taken is refused', () => {
    openSocket().bind(abstract('sdbridge-taken'))
    expect(() => openSocket().bind(abstract('sdbridge-taken'))).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', address: '@sdbridge-taken' }),
    )
  })

  test('of 108 bytes is refused', () => {
    expect(() => openSocket().bind(abstract('m'.repeat(108)))).toThrow(
      'an abstract name of 108 bytes is longer than 107',
    )
  })

  test('of bytes that are no text arrives as these bytes', () => {
    const name = Uint8Array.from([0xff, 0, 0x80, 0x0a])
    const socket = openSocket()
    socket.bind(abstract(name))
    expect(localAddress(socket.fd)).toEqual(abstract(name))
  })

  test.runIf(hasPython)('is the same bytes to another program', async () => {
    const inbox = new Inbox({}, abstract('sdbridge-\0-python'))
    python(`
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b'from python', b'\\0sdbridge-\\0-python')
for wrong in b'\\0sdbridge-', b'\\0sdbridge-\\0-python\\0', b'\\0sdbridge-\\0-pytho':
    try: s.sendto(b'astray', wrong)
    except ConnectionRefusedError: pass
    else: raise SystemExit('reached by another name')
`)
    await inbox.until(1)
    expect(inbox.texts).toEqual(['from python'])
  })

  test.runIf(hasPython)('of another program is reached by its bytes', () => {
    const script = `
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(b'\\0sdbridge-of-python')
subprocess.run([sys.argv[1], '-e', """
import('@sdbridge/syscalls').then(({ DatagramSocket }) => new DatagramSocket('unix').trySend(
  Buffer.from('hello'),
  { address: { family: 'unix', abstract: Buffer.from('sdbridge-of-python') } }))
"""], cwd=sys.argv[2], check=True)
s.setblocking(False)
print(s.recv(100).decode())
`
    const packageDirectory = fileURLToPath(new URL('..', import.meta.url))
    expect(python(script, process.execPath, packageDirectory)).toBe('hello')
  })
})

describe('no name', () => {
  test('lets the kernel choose a free abstract one', () => {
    const [one, other] = [openSocket(), openSocket()]
    one.bind({ family: 'unix' })
    other.bind({ family: 'unix' })
    const names = [one, other].map(({ fd }) => localAddress(fd))
    expect(names[0]).toEqual({ family: 'unix', abstract: expect.any(Uint8Array) })
    expect(names[0]).not.toEqual(names[1])
  })

  test('is what a socket has that was not bound', () => {
    expect(localAddress(openSocket().fd)).toEqual({ family: 'unix' })
  })
})
