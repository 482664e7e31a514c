import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createServer as createHttpServer, get } from 'node:http'
import { connect, createServer, type Server } from 'node:net'
import { closeFd, closeForeignFds, pipe } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { barrier, notify, ready, removeFds, storeFds } from '../src/index.js'
import { QUEUE_LIMIT_OF_STATES } from '../src/send-queue.js'
import { makeBusy } from './busy-manager.js'
import { Inbox } from './inbox.js'

describe('storeFds', () => {
  test('removes what has the name, then stores', async () => {
    const inbox = inboxOfStore()
    const server = await listening(createServer())
    expect(await storeFds('web', server, { env: inbox.env })).toBe(true)
    await inbox.until(2)
    expect(inbox.said).toEqual([
      { fdStoreRemove: true, fdName: 'web' },
      { fdStore: true, fdName: 'web' },
    ])
    expect(inbox.fds).toHaveLength(1)
  })

  test('adds, and has the manager not watch, if told to', async () => {
    const inbox = inboxOfStore()
    await storeFds('memory', ownFd(), { env: inbox.env, poll: false, replace: false })
    await storeFds('memory', ownFd(), { env: inbox.env, poll: true, replace: false })
    await inbox.until(2)
    expect(inbox.said).toEqual([
      { fdStore: true, fdName: 'memory', fdPoll: false },
      { fdStore: true, fdName: 'memory' },
    ])
  })

  test('takes servers and sockets of Node, and whatever has a number', async () => {
    const inbox = inboxOfStore()
    const server = await listening(createServer((socket) => socket.pipe(socket)))
    const http = await listening(createHttpServer())
    const datagrams = createSocket('udp4').bind(0)
    await once(datagrams, 'listening')
    onTestFinished(() => void datagrams.close())
    const client = connect(portOf(server))
    await once(client, 'connect')
    onTestFinished(() => void client.destroy())
    const file = await open('/dev/null')
    onTestFinished(async () => await file.close())
    const number = ownFd()
    const warnings: string[] = []
    process.on('warning', ({ message }) => warnings.push(message))

    await storeFds('all', [server, http, datagrams, client, file, number], { env: inbox.env })
    await inbox.until(2)
    expect(inbox.fds.slice(0, 4).map((fd) => fstatSync(fd).isSocket())).toEqual(Array(4).fill(true))
    expect(inbox.fds.slice(4).map((fd) => fstatSync(fd).isCharacterDevice())).toEqual([true, true])
    expect(new Set(inbox.fds.map((fd) => fstatSync(fd).ino)).size).toBe(5)
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
  })

  test('does not disturb a server: it goes on serving while stored, and after', async () => {
    const inbox = inboxOfStore()
    const server = await listening(createHttpServer((_, response) => response.end('served')))
    const { env } = inbox
    await storeFds('web', server, { env })
    await inbox.until(2)
    expect(await fetchText(server)).toBe('served')
    closeForeignFds(inbox.fds.splice(0))
    expect(await fetchText(server)).toBe('served')
  })

  test('of a server that does not listen is refused', async () => {
    const { env } = inboxOfStore()
    const server = createServer()
    await expect(storeFds('web', server, { env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_NO_DESCRIPTOR',
    })
    for (const nothing of [-1, 1.5, { fd: 'x' }, {}, null]) {
      await expect(storeFds('web', nothing as unknown as number, { env })).rejects.toMatchObject({
        code: 'ERR_NOTIFY_NO_DESCRIPTOR',
      })
    }
  })

  test('of a closed number is an error of the system', async () => {
    const { env } = inboxOfStore()
    const fd = openSync('/dev/null', 'r')
    closeSync(fd)
    await expect(storeFds('x', fd, { env })).rejects.toMatchObject({
      code: 'EBADF',
    })
    await expect(notify({ fdStore: true }, { env, fds: [fd] })).rejects.toMatchObject({
      code: 'EBADF',
    })
  })

  test('names the one name under which something is stored already', async () => {
    const inbox = inboxOfStore()
    const { env } = inbox
    const server = await listening(createServer())
    const fd = ownFd()
    await storeFds('one', [server, fd], { env })
    await expect(storeFds('two', server, { env })).rejects.toThrow(/stored as 'one'/)
    await expect(storeFds('two', [ownFd(), server], { env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_DUPLICATE_FD',
    })
    await expect(storeFds('two', [fd, fd], { env })).rejects.toThrow(/which is given too/)
    await expect(storeFds('one', server, { env, replace: false })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_DUPLICATE_FD',
    })
    // Replaced, removed, or opened anew it is none.
    await storeFds('one', server, { env })
    await removeFds('one', { env })
    await storeFds('two', [server, ownFd()], { env })
    await storeFds('three', ownFd(), { env })
  })

  test('knows a pipe again, whose ends are two', async () => {
    const { env } = inboxOfStore()
    const { readFd, writeFd } = pipe()
    onTestFinished(() => [readFd, writeFd].forEach(closeFd))
    await storeFds('read', readFd, { env })
    await expect(storeFds('again', readFd, { env })).rejects.toThrow(/stored as 'read'/)
    await storeFds('write', writeFd, { env })
  })

  test('of a file whose other descriptor was stored and closed is no duplicate', async () => {
    const { env } = inboxOfStore()
    const fd = openSync('/dev/null', 'r')
    const other = ownFd()
    await storeFds('one', fd, { env })
    closeSync(fd)
    expect(await storeFds('two', other, { env })).toBe(true)
  })

  test('counts what it has stored against $FDSTORE', async () => {
    const inbox = inboxOfStore()
    const env = { ...inbox.env, FDSTORE: '3' }
    await storeFds('a', [ownFd(), ownFd()], { env })
    await storeFds('a', [ownFd(), ownFd()], { env }) // In place of the first two.
    await expect(storeFds('b', [ownFd(), ownFd()], { env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_FDSTORE_FULL',
      value: 4,
    })
    await storeFds('b', ownFd(), { env })
    await expect(storeFds('b', ownFd(), { env, replace: false })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_FDSTORE_FULL',
    })
    await removeFds('a', { env })
    await storeFds('b', [ownFd(), ownFd()], { env, replace: false })
  })

  test.each(['0', '', 'many'])(
    'with $FDSTORE %j is refused, as there is no store',
    async (FDSTORE) => {
      const { env } = inboxOfStore()
      await expect(storeFds('a', ownFd(), { env: { ...env, FDSTORE } })).rejects.toMatchObject({
        code: 'ERR_NOTIFY_FDSTORE_DISABLED',
      })
    },
  )

  test('without $FDSTORE is refused if the manager is one that sets it', async () => {
    const { env } = inboxOfStore()
    expect(await storeFds('a', ownFd(), { env })).toBe(true)
    const newer = { ...env, MEMORY_PRESSURE_WATCH: '/sys/fs/cgroup/memory.pressure' }
    await expect(storeFds('a', ownFd(), { env: newer })).rejects.toThrow(/FileDescriptorStoreMax=/)
  })

  test.each(['a:b', 'C:\\x', 'é', 'x'.repeat(256), 'a\nFDPOLL=0'])('the name %j', async (name) => {
    const inbox = inboxOfStore()
    await expect(storeFds(name, ownFd(), { env: inbox.env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_VALUE_INVALID',
      assignment: 'FDNAME',
    })
    await expect(removeFds(name, { env: inbox.env })).rejects.toMatchObject({ value: name })
    expect(inbox.said).toEqual([])
  })

  test('of 600 descriptors takes three messages of one name', async () => {
    const inbox = inboxOfStore()
    const { env } = inbox
    const fds = Array.from({ length: 600 }, () => ownFd())
    await storeFds('many', fds, { env, poll: false })
    await inbox.until(4)
    const store = { fdStore: true, fdName: 'many', fdPoll: false }
    expect(inbox.said).toEqual([{ fdStoreRemove: true, fdName: 'many' }, store, store, store])
    expect(inbox.fds).toHaveLength(600)
  })

  test('removes nothing when there is a mistake in what it is to store', async () => {
    const inbox = inboxOfStore()
    const { env } = inbox
    await expect(storeFds('web', [], { env })).rejects.toMatchObject({ assignment: 'FDSTORE' })
    expect(await barrier({ env })).toBe('passed')
    expect(inbox.said).toEqual([])
  })

  test('removes nothing when there is no place to store as well', async () => {
    const inbox = inboxOfStore()
    await makeBusy(inbox)
    const { env } = inbox
    const waiting = Array.from({ length: QUEUE_LIMIT_OF_STATES - 1 }, () =>
      ready(undefined, { env }),
    )
    await expect(storeFds('web', ownFd(), { env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_QUEUE_FULL',
    })
    inbox.receiver.resume()
    await Promise.all(waiting)
    expect(await barrier({ env })).toBe('passed')
    expect(inbox.said).not.toContainEqual({ fdStoreRemove: true, fdName: 'web' })
  })

  test('that failed leaves what was stored before', async () => {
    const inbox = inboxOfStore()
    const env = { ...inbox.env, FDSTORE: '1' }
    await storeFds('a', ownFd(), { env })
    const signal = AbortSignal.abort()
    await expect(storeFds('a', ownFd(), { env, signal })).rejects.toThrow('aborted')
    await expect(removeFds('a', { env, signal })).rejects.toThrow('aborted')
    await expect(storeFds('b', ownFd(), { env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_FDSTORE_FULL',
    })
  })

  test('right after a removal that nobody has waited for is counted', async () => {
    const inbox = inboxOfStore()
    const env = { ...inbox.env, FDSTORE: '1' }
    await storeFds('a', ownFd(), { env })
    await Promise.all([removeFds('a', { env }), storeFds('a', ownFd(), { env })])
    await expect(storeFds('b', ownFd(), { env })).rejects.toMatchObject({
      code: 'ERR_NOTIFY_FDSTORE_FULL',
    })
  })

  test('without a service manager does nothing', async () => {
    expect(await storeFds('a', ownFd(), { env: {} })).toBe(false)
    expect(await removeFds('a', { env: {} })).toBe(false)
    await expect(storeFds('a:b', ownFd(), { env: {} })).rejects.toThrow(/FDNAME|fdName/)
  })

  test('that failed is not counted', async () => {
    const env = { NOTIFY_SOCKET: '@sdbridge-nobody-has-this', FDSTORE: '1' }
    for (let round = 0; round < 3; round++) {
      await expect(storeFds('a', ownFd(), { env, replace: false })).rejects.toMatchObject({
        code: 'ERR_NOTIFY_SEND_FAILED',
      })
    }
  })
})

function inboxOfStore(): Inbox {
  const inbox = new Inbox()
  onTestFinished(() => closeForeignFds(inbox.fds))
  return inbox
}

function ownFd(): number {
  const fd = openSync('/dev/null', 'r')
  onTestFinished(() => closeSync(fd))
  return fd
}

async function listening<S extends Server>(server: S): Promise<S> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return server
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port
}

async function fetchText(server: Server): Promise<string> {
  return await new Promise((resolve, reject) => {
    get({ port: portOf(server), agent: false }, (response) => {
      response.setEncoding('utf8').once('data', resolve)
    }).once('error', reject)
  })
}
