import { expect, test } from 'vitest'
import { describeOnEachSystemd } from './machines.js'
import { RemoteService } from './remote/remote-service.js'

describeOnEachSystemd('which process is the main one', (machine) => {
  test('MAINPID=: the service goes on in a child when its main process ends', async () => {
    const service = await RemoteService.write(machine(), 'hand-over')
    const main = await service.startReady()
    const child = await service.spawn(main, 'child')
    await main.run(({ notify }, mainPid) => notify.notify({ mainPid }), child.pid)
    expect(await service.show('MainPID')).toEqual({ MainPID: `${child.pid}` })

    await main.runToTheEnd(() => process.exit())
    // Under NotifyAccess=main: so it is the one that is listened to now.
    await child.run(({ notify }) => notify.status('in the child'))
    expect(await service.show('ActiveState', 'MainPID', 'StatusText')).toEqual({
      ActiveState: 'active',
      MainPID: `${child.pid}`,
      StatusText: 'in the child',
    })

    await child.runToTheEnd(() => process.exit(7))
    await service.waitFor({ ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '7' })
  })

  test('MAINPID= and READY=1 in one message of the new main process, under NotifyAccess=all', async () => {
    const service = await RemoteService.write(machine(), 'claim', 'NotifyAccess=all')
    const main = await service.start()
    const child = await service.spawn(main, 'child')
    await child.run(({ notify }) => notify.notify({ mainPid: process.pid, ready: true }))
    await service.waitFor({ ActiveState: 'active', MainPID: `${child.pid}` })
  })

  test('MAINPID= of a process of another unit: root may, and others may not', async () => {
    const other = await (await RemoteService.write(machine(), 'other')).startReady()
    const asRoot = await RemoteService.write(machine(), 'takes-over')
    const root = await asRoot.startReady()
    await root.run(({ notify }, mainPid) => notify.notify({ mainPid }), other.pid)
    expect(await asRoot.show('MainPID')).toEqual({ MainPID: `${other.pid}` })

    const asNobody = await RemoteService.write(machine(), 'may-not', 'User=65534')
    const nobody = await asNobody.startReady()
    await nobody.run(({ notify }, mainPid) => notify.notify({ mainPid, status: '1' }), other.pid)
    expect(await asNobody.show('MainPID', 'StatusText')).toEqual({
      MainPID: `${nobody.pid}`,
      StatusText: '1',
    })
  })

  test('MAINPIDFDID=: the number alone is not enough for 257 and newer', async () => {
    const service = await RemoteService.write(machine(), 'pidfd-id')
    const main = await service.startReady()
    const child = await service.spawn(main, 'child')
    // Of another process, as if the number had been given away again.
    const hasIds = await main.run(({ notify, syscalls }, mainPid) => {
      const ownId = syscalls.pidfdId(syscalls.pidfdOpen(process.pid))
      return notify.notify({ mainPid, mainPidFdId: ownId }).then(() => ownId !== undefined)
    }, child.pid)
    const refuses = hasIds && (await machine().systemdVersion()) >= 257
    expect(await service.show('MainPID')).toEqual({ MainPID: `${(refuses ? main : child).pid}` })
    if (refuses) await service.waitForLog(`PIDFD ID of process ${child.pid}`)

    await (refuses ? main : child).run(({ notify, syscalls }, mainPid) => {
      const id = syscalls.pidfdId(syscalls.pidfdOpen(mainPid))
      return notify.notify({ mainPid, mainPidFdId: id, status: 'the right one' })
    }, child.pid)
    expect(await service.show('MainPID', 'StatusText')).toEqual({
      MainPID: `${child.pid}`,
      StatusText: 'the right one',
    })
  })

  test('MAINPIDFD=1: 257 and newer take the process of the pidfd, whatever MAINPID= says', async () => {
    const service = await RemoteService.write(machine(), 'pidfd')
    const main = await service.startReady()
    const child = await service.spawn(main, 'child')
    const known = (await machine().systemdVersion()) >= 257
    await main.run(({ notify, syscalls }, pid) => {
      const fds = [syscalls.pidfdOpen(pid)]
      return notify.notify(
        { mainPidFd: true, mainPid: process.pid, status: 'handed over' },
        { fds },
      )
    }, child.pid)
    expect(await service.show('MainPID', 'StatusText')).toEqual({
      MainPID: `${(known ? child : main).pid}`,
      StatusText: 'handed over',
    })
    if (!known) {
      return machine().waitForLog('Got extra auxiliary fds with notification message, closing them')
    }
    await main.runToTheEnd(() => process.exit())
    await child.run(({ notify }) => notify.status('in the child'))
    expect(await service.show('ActiveState', 'StatusText')).toEqual({
      ActiveState: 'active',
      StatusText: 'in the child',
    })
  })

  test('MAINPIDFD=1 beside MAINPID= of the same process: every version hands over', async () => {
    const service = await RemoteService.write(machine(), 'pidfd-and-pid')
    const main = await service.startReady()
    const child = await service.spawn(main, 'child')
    await main.run(({ notify, syscalls }, mainPid) => {
      const fds = [syscalls.pidfdOpen(mainPid)]
      return notify.notify({ mainPidFd: true, mainPid }, { fds })
    }, child.pid)
    expect(await service.show('MainPID')).toEqual({ MainPID: `${child.pid}` })
  })

  test('option pid: a child of root speaks as the main process, under NotifyAccess=main', async () => {
    const service = await RemoteService.write(machine(), 'speaks-for')
    const main = await service.start()
    const child = await service.spawn(main, 'child')
    await child.run(
      ({ notify }, pid) => notify.notify({ ready: true, status: 'by the child' }, { pid }),
      main.pid,
    )
    await service.waitFor({ ActiveState: 'active', StatusText: 'by the child' })
    // And as itself it is not heard.
    await child.run(({ notify }) => notify.notify({ status: 'as itself' }))
    expect(await service.show('StatusText')).toEqual({ StatusText: 'by the child' })
  })

  test('option pid of a process without that privilege: speaks as itself', async () => {
    const status = async (name: string, access: string) => {
      const settings = `User=65534\nNotifyAccess=${access}`
      const service = await RemoteService.write(machine(), name, settings)
      const main = await service.startReady('by itself')
      const child = await service.spawn(main, 'child')
      const sent = await child.run(
        ({ notify }, pid) => notify.notify({ status: 'by the child' }, { pid }),
        main.pid,
      )
      expect(sent).toBe(true)
      return (await service.show('StatusText'))['StatusText']
    }
    expect(await status('pid-all', 'all')).toBe('by the child')
    expect(await status('pid-main', 'main')).toBe('by itself')
  })
})
