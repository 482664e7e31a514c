import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { PYTHON } from '../support/real-program.js'
import { describeOnEachSystemd } from './machines.js'
import { inside, repositoryPath } from './repository.js'
import { ProxiedService } from './proxy/proxied-service.js'
import type { RemoteProcess } from './remote/remote-process.js'
import { whileManagerIsStopped } from './remote/stopped-manager.js'

describeOnEachSystemd('a payload behind the proxy', (machine) => {
  test('READY=1 and STATUS= under NotifyAccess=main', async () => {
    const { service, ...proxied } = await startProxied('ready')
    await service.waitFor({ ActiveState: 'activating' })
    await proxied.payload.run(({ notify }) => notify.ready('Grüße \\ 1'))
    await service.waitFor({
      ActiveState: 'active',
      StatusText: 'Grüße ⧵ 1',
      MainPID: `${proxied.main.pid}`,
    })
    expect(await proxied.main.run(({ kept }) => kept['proxy'].counters)).toMatchObject({
      received: 1,
      forwarded: 1,
    })
  })

  test('a status with an escaped backslash reads as it would without a proxy', async () => {
    const { service, main, payload } = await startProxied('backslash')
    const send = async (from: RemoteProcess): Promise<string> => {
      await from.run(({ syscalls }) => {
        const socket = new syscalls.DatagramSocket('unix')
        socket.connect({ family: 'unix', path: process.env['NOTIFY_SOCKET']! })
        socket.trySend(Buffer.from('READY=1\nSTATUS=C:\\\\new "x" \\a'))
        socket.close()
      })
      await main.run(({ kept }) => kept['proxy'].idle())
      return (await service.show('StatusText'))['StatusText']!
    }
    const through = await send(payload)
    expect(through).toContain('new')
    expect(await send(main)).toBe(through)
  })

  test('ERRNO=, STOPPING=1 and the end', async () => {
    const { service, main, payload } = await startProxied('stopping')
    await payload.run(({ notify }) => notify.ready())
    await payload.run(({ notify }) => notify.notify({ errno: 'ENOENT', stopping: true }))
    await service.waitFor({ ActiveState: 'deactivating', StatusErrno: '2' })
    await main.runToTheEnd(() => process.exit(0))
    await service.waitFor({ ActiveState: 'inactive' })
  })

  test('the watchdog watches the payload', async () => {
    const { service, main, payload } = await startProxied('watchdog', {
      settings: 'WatchdogSec=60',
    })
    await payload.run(({ notify }) => notify.ready())
    const lastPing = async () =>
      Number((await service.show('WatchdogTimestampMonotonic'))['WatchdogTimestampMonotonic'])
    await service.waitFor({ ActiveState: 'active' })
    const atReady = await lastPing()
    await payload.run(({ notify }) => notify.notify({ watchdog: true }))
    await main.run(({ kept }) => kept['proxy'].idle())
    expect(await lastPing()).toBeGreaterThan(atReady)
    payload.run(({ notify }) => notify.notify({ watchdog: 'trigger' })).catch(() => {})
    await service.waitFor({ ActiveState: 'failed', Result: 'watchdog' })
  })

  test('EXTEND_TIMEOUT_USEC= keeps a start alive', async () => {
    const { service, payload } = await startProxied('extended', {
      settings: 'TimeoutStartSec=5',
    })
    for (let round = 0; round < 8; round++) {
      await payload.run(({ notify }) => notify.extendTimeout(5000))
      await delay(1000)
    }
    await payload.run(({ notify }) => notify.ready())
    await service.waitFor({ ActiveState: 'active' })
  })

  test('Type=notify-reload, from a time namespace of its own', async () => {
    if ((await machine().systemdVersion()) < 253) return
    const { service, main, payload } = await startProxied('reload', {
      settings: 'Type=notify-reload',
      namespaces: ['--time', '--monotonic', '-10'],
    })
    await main.run(({ kept }) => {
      kept['hangUp'] = new Promise((resolve) => process.on('SIGHUP', () => resolve('SIGHUP')))
    })
    await payload.run(({ notify }) => notify.ready())
    await service.waitFor({ ActiveState: 'active' })
    const reload = service.systemctl('reload')
    await main.run(({ kept }) => kept['hangUp'])
    // Without the offset it would lie before the reload, and be ignored.
    await payload.run(({ notify }) => notify.reloading())
    await service.waitFor({ ActiveState: 'reloading', SubState: 'reload-notify' })
    await payload.run(({ notify }) => notify.ready('reloaded'))
    await reload
    expect(await service.show('ActiveState', 'StatusText', 'ReloadResult')).toEqual({
      ActiveState: 'active',
      StatusText: 'reloaded',
      ReloadResult: 'success',
    })
  })

  test('the descriptor store: a private name there, and the own name back after a restart', async () => {
    const proxied = await ProxiedService.write(machine(), 'stored', {
      settings: 'FileDescriptorStoreMax=4',
      store: { prefix: 'box.', limit: 3 },
    })
    const { service } = proxied
    const { main, payload } = await proxied.start()
    await payload.run(async ({ notify, fs }) => {
      fs.writeFileSync('/run/stored-content', 'kept')
      const fds = [fs.openSync('/run/stored-content', 'r')]
      await notify.notify({ fdStore: true, fdName: 'file', ready: true }, { fds })
      const many = [1, 2, 3].map(() => fs.openSync('/dev/null', 'r'))
      await notify.notify({ fdStore: true, fdName: 'many', status: 'sent' }, { fds: many })
    })
    await service.waitFor({ ActiveState: 'active', StatusText: 'sent', NFileDescriptorStore: '1' })
    expect(await main.run(({ kept }) => kept['drops'])).toEqual(['FDSTORE: store-full'])
    // Of the unit itself, and not the container's.
    await main.run(({ notify, fs }) => notify.storeFds('own', fs.openSync('/dev/null', 'r')))

    await service.systemctl('restart', '--no-block')
    const next = await proxied.attach(await service.process('main'))
    const names = (await next.main.run(({ kept }) => kept['names'])) as string[]
    expect(names.toSorted()).toEqual(['box.file', 'own'])
    expect(
      await next.payload.run(({ fs, listenFds }) =>
        listenFds.listenFds().map(({ fd, name }) => [name, fs.readFileSync(fd, 'utf8')]),
      ),
    ).toEqual([['file', 'kept']])
    await next.payload.run(({ notify }) =>
      notify.notify({ fdStoreRemove: true, fdName: 'file', ready: true }),
    )
    await service.waitFor({ ActiveState: 'active', NFileDescriptorStore: '1' })
  })

  test('a barrier is not acknowledged while PID 1 is stopped', async () => {
    const { main, payload } = await startProxied('barrier')
    await payload.run(({ notify }) => notify.ready())
    expect(await payload.run(({ notify }) => notify.barrier())).toBe('passed')
    const code = await whileManagerIsStopped(machine(), async () => {
      await payload.run(({ kept, notify }) => {
        kept['barrier'] = notify.barrier({ timeoutMs: 60_000 })
      })
      return await payload.run(({ notify }) =>
        notify.barrier({ timeoutMs: 500 }).catch((error: NodeJS.ErrnoException) => error.code),
      )
    })
    expect(code).toBe('ERR_NOTIFY_TIMEOUT')
    expect(await payload.run(({ kept }) => kept['barrier'])).toBe('passed')
    // One is out at a time, and the one that was given up meanwhile does not go up any more.
    expect(await main.run(({ kept }) => kept['proxy'].counters.barriers)).toBe(2)
    expect(await machine().log()).not.toContain('barrier.service: Got extra auxiliary fds')
  })

  test('systemd’s own client, a barrier after its message', async () => {
    const { service, payload } = await startProxied('client')
    // It waits five seconds for a barrier that is not acknowledged, and fails then.
    await payload.run(({ childProcess }) =>
      childProcess.execFileSync('systemd-notify', ['--ready', '--status=by systemd-notify']),
    )
    expect(await service.show('ActiveState', 'StatusText')).toEqual({
      ActiveState: 'active',
      StatusText: 'by systemd-notify',
    })
  })

  test('daemon-reexec in the middle of many messages: none is lost, and the last is the last', async () => {
    const count = 300
    const proxied = await ProxiedService.write(machine(), 'reexec', {
      settings: `FileDescriptorStoreMax=${count}`,
      store: { prefix: '', limit: count },
    })
    const { service } = proxied
    const { payload } = await proxied.start()
    await payload.run(({ notify }) => notify.ready())
    await service.waitFor({ ActiveState: 'active' })
    const sending = payload.run(async ({ fs, notify }, last) => {
      for (let number = 1; number <= last; number++) {
        const fd = fs.openSync('/dev/null', 'r')
        await notify.notify({ fdStore: true, fdName: `n${number}`, errno: number }, { fds: [fd] })
        fs.closeSync(fd)
        if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }, count)
    await machine()
      .systemctl('daemon-reexec')
      .catch(() => {})
    await sending
    await service.waitFor({ StatusErrno: `${count}`, NFileDescriptorStore: `${count}` })

    await service.systemctl('restart', '--no-block')
    const main = await service.process('main')
    const names = await main.run(({ listenFds }) => listenFds.listenFds().map(({ name }) => name))
    expect(names.map((name) => Number(name.slice(1))).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, index) => index + 1),
    )
  })

  test('MAINPID= under NotifyAccess=all, where the option allows it', async () => {
    const { service, main, payload } = await startProxied('main-pid', {
      settings: 'NotifyAccess=all',
      mainPid: true,
    })
    // Of the pid namespace, in which it is the first.
    await payload.run(({ notify }) => notify.notify({ mainPid: 1, ready: true, status: 'mine' }))
    await service.waitFor({ ActiveState: 'active', StatusText: 'mine' })
    const init = await main.run(({ kept }) => kept['init'])
    expect(await service.show('MainPID')).toEqual({ MainPID: `${init}` })
    expect(init).not.toBe(main.pid)
    // The bridge is not the main process any more, and is heard all the same.
    await payload.run(({ notify }) => notify.status('still heard'))
    await service.waitFor({ StatusText: 'still heard' })
  })

  test('MAINPID= without the option: the unit keeps its main process, and gets READY=1', async () => {
    const { service, main, payload } = await startProxied('no-main-pid')
    await payload.run(({ notify }) => notify.notify({ mainPid: 1, ready: true }))
    await service.waitFor({ ActiveState: 'active', MainPID: `${main.pid}` })
    expect(await main.run(({ kept }) => kept['drops'])).toEqual(['MAINPID: not-allowed'])
  })

  test('BARRIER=1 with a socket whose close takes ten minutes does not stop PID 1', async () => {
    const proxied = await startProxied('linger')
    const { service } = proxied
    const program = `${repositoryPath}/packages/oci-shim/test/proxy/linger-barrier.py`
    const peer = spawn(PYTHON, [program, machine().path(proxied.socket)])
    onTestFinished(() => void peer.kill('SIGKILL'))
    peer.stdin.on('error', () => {})
    // Its own copy is closed by then, and the manager’s close would be the last.
    await whileManagerIsStopped(
      machine(),
      () => new Promise((resolve) => peer.stdout.once('data', resolve)),
    )
    await proxied.payload.run(({ notify }) => notify.ready('not stopped'))
    await service.waitFor({ ActiveState: 'active', StatusText: 'not stopped' })
    expect(await proxied.payload.run(({ notify }) => notify.barrier())).toBe('passed')
    expect(await proxied.main.run(({ kept }) => kept['proxy'].counters.barriers)).toBe(2)
  })

  test('nor does FDSTORE=1 with it, where the store is full', async () => {
    const proxied = await startProxied('linger-store', {
      settings: 'FileDescriptorStoreMax=1',
      store: { prefix: '', limit: 99 },
    })
    const { main, payload, service } = proxied
    await payload.run(({ fs, notify }) => notify.storeFds('first', [fs.openSync('/dev/null', 'r')]))
    await service.waitFor({ NFileDescriptorStore: '1' })
    const program = inside('packages/oci-shim/test/proxy/linger-barrier.py')
    // systemd closes the first that is too much on the side, and the others itself.
    const peer = machine().spawn('python3', [program, proxied.socket, 'FDSTORE=1', '9'])
    onTestFinished(() => void peer.kill('SIGKILL'))
    peer.stdin.on('error', () => {})
    await whileManagerIsStopped(machine(), async () => {
      await new Promise((resolve) => peer.stdout.once('data', resolve))
      await expect.poll(() => main.run(({ kept }) => kept['proxy'].counters.forwarded)).toBe(3)
      // A bridge that did not wait would have closed its own by then.
      await delay(300)
    })
    await payload.run(({ notify }) => notify.ready('not stopped'))
    await service.waitFor({ ActiveState: 'active', StatusText: 'not stopped' })
    expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '1' })
  })

  async function startProxied(
    name: string,
    options: Parameters<typeof ProxiedService.write>[2] = {},
  ) {
    const proxied = await ProxiedService.write(machine(), name, options)
    const { service, socket } = proxied
    return { service, socket, ...(await proxied.start()) }
  }
})
