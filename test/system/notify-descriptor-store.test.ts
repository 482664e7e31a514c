import events from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import type { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import type { RemoteProcess } from './remote/remote-process.js'
import { RemoteService } from './remote/remote-service.js'

describeOnEachSystemd('the descriptor store', (machine) => {
  test('gives descriptors back by name after systemctl restart', async () => {
    const service = await withStore(machine(), 'named', 10)
    const main = await service.startReady()
    await main.run(async ({ notify, fs, syscalls }) => {
      const open = (content: string) => {
        fs.writeFileSync(`/run/named-${content}`, content)
        return fs.openSync(`/run/named-${content}`, 'r')
      }
      const { readFd, writeFd } = syscalls.pipe()
      await notify.notify({ fdStore: true, fdName: 'file' }, { fds: [open('1')] })
      // Two in one message: they share the name.
      await notify.notify({ fdStore: true, fdName: 'pair' }, { fds: [open('2'), open('3')] })
      await notify.notify({ fdStore: true }, { fds: [readFd] })
      await notify.notify({ fdStore: true, fdName: 'writer' }, { fds: [writeFd] })
    })
    await service.waitFor({ NFileDescriptorStore: '5' })

    const next = await restart(service)
    const found = await next.run(({ listenFds, fs }) =>
      listenFds.listenFds().map(({ fd, name }) => {
        const content = fs.fstatSync(fd).isFile() ? fs.readFileSync(fd, 'utf8') : 'a pipe'
        return `${name}: ${content}`
      }),
    )
    expect(found.toSorted()).toEqual([
      'file: 1',
      'pair: 2',
      'pair: 3',
      'stored: a pipe',
      'writer: a pipe',
    ])
    // Given, but not given away.
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '5' })

    // A restart is the one end that the store outlives.
    await service.systemctl('stop')
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '0' })
  })

  test('drops a socket whose other end is gone, unread data and all', async () => {
    const service = await withStore(machine(), 'hung-up', 10)
    const main = await service.startReady()
    await storeSocketOf(main, { fdStore: true, fdName: 'polled' })
    await service.waitFor({ NFileDescriptorStore: '1' })
    await main.run(({ kept }) => kept['hangUp']())
    await service.waitFor({ NFileDescriptorStore: '0' })
  })

  test('FDPOLL=0: keeps a socket whose other end is gone, and what it had sent', async () => {
    const service = await withStore(machine(), 'kept', 10)
    const main = await service.startReady()
    await storeSocketOf(main, { fdStore: true, fdName: 'kept', fdPoll: false })
    await main.run(({ kept }) => kept['hangUp']())
    await main.run(({ notify }) => notify.status('hung up'))
    expect(await service.show('NFileDescriptorStore', 'StatusText')).toEqual({
      NFileDescriptorStore: '1',
      StatusText: 'hung up',
    })

    const next = await restart(service)
    const lastWords = await next.run(async ({ listenFds, net }) => {
      const [stored] = listenFds.listenFds()
      const socket = new net.Socket({ fd: stored!.fd })
      let words = ''
      for await (const piece of socket) words += String(piece)
      return { name: stored!.name, words }
    })
    expect(lastWords).toEqual({ name: 'kept', words: 'last words' })
  })

  test('FDSTOREREMOVE=1: drops all of one name, and no other', async () => {
    const service = await withStore(machine(), 'removed', 10)
    const main = await service.startReady()
    await main.run(async ({ notify, fs }) => {
      for (const fdName of ['a', 'b', 'a']) {
        await notify.notify({ fdStore: true, fdName }, { fds: [fs.openSync('/dev/null', 'r')] })
      }
    })
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '3' })
    await main.run(({ notify }) => notify.notify({ fdStoreRemove: true, fdName: 'a' }))
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '1' })
    expect(await namesIn(await restart(service))).toEqual(['b'])
  })

  test('the same open file a second time: dropped, and it keeps its name', async () => {
    const service = await withStore(machine(), 'duplicates', 10)
    const main = await service.startReady()
    await main.run(async ({ notify, fs }) => {
      const fds = [fs.openSync('/dev/null', 'r')]
      await notify.notify({ fdStore: true, fdName: 'old' }, { fds })
      await notify.notify({ fdStore: true, fdName: 'new' }, { fds })
      // Opened for itself it is another one, though of the same file.
      await notify.notify(
        { fdStore: true, fdName: 'other' },
        { fds: [fs.openSync('/dev/null', 'r')] },
      )
    })
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '2' })
    expect((await namesIn(await restart(service))).toSorted()).toEqual(['old', 'other'])
  })

  test('FileDescriptorStoreMax= is the limit: the older ones stay', async () => {
    const service = await withStore(machine(), 'full', 2)
    const main = await service.startReady()
    await main.run(async ({ notify, fs }) => {
      for (const fdName of ['first', 'second', 'third']) {
        await notify.notify({ fdStore: true, fdName }, { fds: [fs.openSync('/dev/null', 'r')] })
      }
    })
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '2' })
    await service.waitForLog('Cannot store more fds than FileDescriptorStoreMax=2')
    expect((await namesIn(await restart(service))).toSorted()).toEqual(['first', 'second'])
  })

  test('without FileDescriptorStoreMax= there is none, and nothing is said', async () => {
    const service = await RemoteService.write(machine(), 'none')
    const main = await service.startReady()
    await main.run(({ notify, syscalls, kept }) => {
      const { readFd, writeFd } = syscalls.pipe()
      kept['readFd'] = readFd
      return notify
        .notify({ fdStore: true, fdName: 'lost', status: 'sent' }, { fds: [writeFd] })
        .then(() => syscalls.closeFd(writeFd))
    })
    expect(await service.show('NFileDescriptorStore', 'StatusText')).toEqual({
      NFileDescriptorStore: '0',
      StatusText: 'sent',
    })
    // The manager has closed its copy too.
    await main.run(
      ({ kept, syscalls }) =>
        new Promise<void>((resolve) => {
          const watcher = new syscalls.FdWatcher(kept['readFd'], ({ hangup }) => {
            watcher.close()
            if (hangup) resolve()
          })
          watcher.arm('hangup')
        }),
    )
  })

  test('$FDSTORE is the limit, since 254', async () => {
    const service = await withStore(machine(), 'limit', 7)
    const main = await service.startReady()
    const FDSTORE = await main.run(() => process.env['FDSTORE'] ?? null)
    expect(FDSTORE).toBe((await machine().systemdVersion()) >= 254 ? '7' : null)
  })

  test('storeFds() replaces what has the name, or adds to it', async () => {
    const service = await withStore(machine(), 'replaced', 3)
    const main = await service.startReady()
    await main.run(async ({ notify, fs, kept }) => {
      kept['open'] = (content: string) => {
        fs.writeFileSync(`/run/replaced-${content}`, content)
        return fs.openSync(`/run/replaced-${content}`, 'r')
      }
      await notify.storeFds('data', kept['open']('1'))
      await notify.storeFds('data', kept['open']('2'))
    })
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '1' })
    await main.run(({ notify, kept }) =>
      notify.storeFds('data', kept['open']('3'), { replace: false }),
    )
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '2' })

    const next = await restart(service)
    const found = await next.run(({ listenFds, fs }) =>
      listenFds.listenFds().map(({ fd, name }) => `${name}: ${fs.readFileSync(fd, 'utf8')}`),
    )
    expect(found.toSorted()).toEqual(['data: 2', 'data: 3'])
    await next.run(({ notify }) => notify.removeFds('data'))
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '0' })
  })

  test('storeFds() refuses what the manager would close, where $FDSTORE tells the limit', async () => {
    const service = await withStore(machine(), 'refused', 1)
    const main = await service.startReady()
    const code = await main.run(({ notify, fs }) =>
      notify.storeFds('data', [fs.openSync('/dev/null', 'r'), fs.openSync('/dev/null', 'r')]).then(
        () => 'sent',
        (error: NodeJS.ErrnoException) => error.code,
      ),
    )
    const isTold = (await machine().systemdVersion()) >= 254
    expect(code).toBe(isTold ? 'ERR_NOTIFY_FDSTORE_FULL' : 'sent')
    expect(await service.show('NFileDescriptorStore')).toEqual({
      NFileDescriptorStore: isTold ? '0' : '1',
    })
  })

  test('storeFds() says that the unit has no store, where that can be known', async () => {
    const service = await RemoteService.write(machine(), 'no-store')
    const main = await service.startReady()
    const code = await main.run(({ notify, fs }) =>
      notify.storeFds('data', fs.openSync('/dev/null', 'r')).then(
        () => 'sent',
        (error: NodeJS.ErrnoException) => error.code,
      ),
    )
    const isTold = (await machine().systemdVersion()) >= 254
    expect(code).toBe(isTold ? 'ERR_NOTIFY_FDSTORE_DISABLED' : 'sent')
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '0' })
  })

  test('a listening socket: whoever connects during the restart is served after it', async () => {
    const service = await withStore(machine(), 'web', 1, 'ExecStartPre=/run/remote %N pre')
    const pre = await startUntilPre(service, 'start')
    await pre.runToTheEnd(() => process.exit())
    const main = await service.process('main')
    await main.run(async ({ net, once, notify }) => {
      const server = net.createServer((socket) => socket.end('before'))
      server.listen('/run/web.sock')
      await once(server, 'listening')
      await notify.storeFds('web', server)
      await notify.ready()
    })
    await service.waitFor({ ActiveState: 'active' })
    const client = () => connect(machine().path('/run/web.sock'))
    expect(await text(client())).toBe('before')

    const preOfRestart = await startUntilPre(service, 'restart')
    await main.ended
    // Nobody serves now, and the connection is made all the same.
    const early = client()
    await events.once(early, 'connect')
    await preOfRestart.runToTheEnd(() => process.exit())
    const next = await service.process('main')
    await next.run(async ({ listenFds, net, once }) => {
      const server = net.createServer((socket) => socket.end('after'))
      server.listen(listenFds.listenFds().find(({ name }) => name === 'web'))
      await once(server, 'listening')
    })
    expect(await text(early)).toBe('after')
    expect(await text(client())).toBe('after')
  })
})

function withStore(
  machine: Machine,
  name: string,
  max: number,
  settings = '',
): Promise<RemoteService> {
  return RemoteService.write(machine, name, `FileDescriptorStoreMax=${max}\n${settings}`)
}

async function restart(service: RemoteService): Promise<RemoteProcess> {
  await service.systemctl('restart', '--no-block')
  return service.process('main')
}

async function startUntilPre(service: RemoteService, verb: string): Promise<RemoteProcess> {
  await service.systemctl(verb, '--no-block')
  return service.process('pre')
}

function namesIn(main: RemoteProcess): Promise<string[]> {
  return main.run(({ listenFds }) => listenFds.listenFds().map(({ name }) => name))
}

/** Stores one end of a connection; `kept.hangUp()` then closes both, after some last words. */
async function storeSocketOf(
  main: RemoteProcess,
  assignments: { fdStore: true; fdName: string; fdPoll?: false },
): Promise<void> {
  await main.run(async ({ net, once, notify, fdOf, kept }, storing) => {
    const server = net.createServer().listen('\0store-test')
    const other = net.connect('\0store-test')
    const [socket] = await once(server, 'connection')
    await notify.notify(storing, { fds: [fdOf(socket)] })
    kept['hangUp'] = async () => {
      await new Promise<void>((resolve) => other.write('last words', () => resolve()))
      socket.destroy()
      other.destroy()
      server.close()
    }
  }, assignments)
}
