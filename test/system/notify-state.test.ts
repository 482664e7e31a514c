import { expect, test } from 'vitest'
import { describeOnEachSystemd } from './machines.js'
import { RemoteService } from './remote/remote-service.js'
import { sendRaw } from './remote/send-raw.js'

describeOnEachSystemd('the state that a service tells', (machine) => {
  test('READY=1: activating until then, active from then on', async () => {
    const service = await RemoteService.write(machine(), 'ready')
    const main = await service.start()
    await service.waitFor({ ActiveState: 'activating', SubState: 'start' })
    await main.run(({ notify }) => notify.notify({ ready: true }))
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
  })

  test('READY=1 of ExecStartPre= does not count, its STATUS= does', async () => {
    const settings = 'ExecStartPre=/run/remote %N pre\nNotifyAccess=exec'
    const service = await RemoteService.write(machine(), 'ready-pre', settings)
    await service.systemctl('start', '--no-block')
    const pre = await service.process('pre')
    await pre.run(({ notify }) => notify.notify({ ready: true, status: 'prepared' }))
    expect(await service.show('SubState', 'StatusText')).toEqual({
      SubState: 'start-pre',
      StatusText: 'prepared',
    })
    await pre.runToTheEnd(() => process.exit())
    const main = await service.process('main')
    await service.waitFor({ SubState: 'start' })
    await main.run(({ notify }) => notify.notify({ ready: true }))
    await service.waitFor({ ActiveState: 'active' })
  })

  test('READY=1 with an ExecStartPost=: active when that has ended', async () => {
    const service = await RemoteService.write(
      machine(),
      'ready-post',
      'ExecStartPost=/run/remote %N post',
    )
    const main = await service.start()
    await main.run(({ notify }) => notify.notify({ ready: true }))
    const post = await service.process('post')
    await service.waitFor({ ActiveState: 'activating', SubState: 'start-post' })
    await post.runToTheEnd(() => process.exit())
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
  })

  test('STATUS=, and an empty one clears it', async () => {
    const service = await RemoteService.write(machine(), 'status')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ status: 'Grüße' }))
    expect(await service.show('StatusText')).toEqual({ StatusText: 'Grüße' })
    await main.run(({ notify }) => notify.notify({ status: '' }))
    expect(await service.show('StatusText')).toEqual({ StatusText: '' })
  })

  test('ERRNO=: a number, a name, an Error, and 0 clears it', async () => {
    const service = await RemoteService.write(machine(), 'errno')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ errno: 13 }))
    expect(await service.show('StatusErrno')).toEqual({ StatusErrno: '13' })
    await main.run(({ notify }) => notify.notify({ errno: 'EADDRINUSE' }))
    expect(await service.show('StatusErrno')).toEqual({ StatusErrno: '98' })
    await main.run(({ notify, fs }) =>
      fs.promises
        .readFile('/nowhere')
        .catch((error: Error) => notify.notify({ errno: error }))
        .then(() => {}),
    )
    expect(await service.show('StatusErrno')).toEqual({ StatusErrno: '2' })
    await main.run(({ notify }) => notify.notify({ errno: 0 }))
    expect(await service.show('StatusErrno')).toEqual({ StatusErrno: '0' })
  })

  test('BUSERROR= and VARLINKERROR=: 257 and newer show them', async () => {
    const service = await RemoteService.write(machine(), 'error-names')
    const main = await service.startReady()
    const show = () => service.show('StatusBusError', 'StatusVarlinkError', 'StatusText')
    const known = (await machine().systemdVersion()) >= 257

    await main.run(({ notify }) =>
      notify.notify({ busError: 'org.example.Full', varlinkError: 'io.example.Full', status: '1' }),
    )
    expect(await show()).toEqual({
      ...(known && { StatusBusError: 'org.example.Full', StatusVarlinkError: 'io.example.Full' }),
      StatusText: '1',
    })
    await main.run(({ notify }) => notify.notify({ busError: '', varlinkError: '', status: '2' }))
    expect(await show()).toEqual({
      ...(known && { StatusBusError: '', StatusVarlinkError: '' }),
      StatusText: '2',
    })
  })

  test('EXIT_STATUS= and X_ assignments change nothing, and nor does their company', async () => {
    const service = await RemoteService.write(machine(), 'ignored')
    const main = await service.startReady()
    const before = await service.show('ActiveState', 'SubState', 'MainPID', 'ExecMainStatus')
    const linesBefore = (await machine().log()).split('\n').length
    await main.run(({ notify }) =>
      notify.notify({
        exitStatus: 3,
        extra: { X_SDBRIDGE_TEST: 'READY=1 or not' },
        status: 'seen',
      }),
    )
    expect(await service.show(...Object.keys(before), 'StatusText')).toEqual({
      ...before,
      StatusText: 'seen',
    })
    expect((await machine().log()).split('\n').slice(linesBefore - 1)).toEqual([''])
    await service.systemctl('stop')
    expect(await service.show('Result')).toEqual({ Result: 'success' })
  })

  test('NOTIFYACCESS=: 254 and newer listen to whom it says, until the service ends', async () => {
    const service = await RemoteService.write(machine(), 'access')
    const main = await service.startReady()
    const child = await service.spawn(main, 'child')
    const statusAfter = async (process: typeof main, status: string) => {
      await process.run(({ notify }, text) => notify.notify({ status: text }), status)
      return (await service.show('StatusText'))['StatusText']
    }
    expect(await statusAfter(child, 'child under main')).toBe('')

    const known = (await machine().systemdVersion()) >= 254
    await main.run(({ notify }) => notify.notify({ notifyAccess: 'all' }))
    expect(await statusAfter(child, 'child under all')).toBe(known ? 'child under all' : '')

    await main.run(({ notify }) => notify.notify({ notifyAccess: 'none', status: 'last words' }))
    expect(await statusAfter(main, 'main under none')).toBe(
      known ? 'last words' : 'main under none',
    )
    // Deaf is deaf: nothing takes it back.
    await main.run(({ notify }) => notify.notify({ notifyAccess: 'main' }))
    expect(await service.show('NotifyAccess')).toEqual({ NotifyAccess: known ? 'none' : 'main' })

    await service.systemctl('stop')
    expect(await statusAfter(await service.startReady(), 'next run')).toBe('next run')
  })

  test('RESTART_RESET=1: 258 and newer count restarts from 0 again', async () => {
    const service = await RemoteService.write(machine(), 'restarts', 'Restart=always\nRestartSec=0')
    const first = await service.startReady()
    await first.runToTheEnd(() => process.exit())
    const second = await service.process('main')
    await second.run(({ notify }) => notify.notify({ ready: true }))
    await service.waitFor({ NRestarts: '1', ActiveState: 'active' })

    await second.run(({ notify }) => notify.notify({ restartReset: true, status: 'reset' }))
    const NRestarts = (await machine().systemdVersion()) >= 258 ? '0' : '1'
    expect(await service.show('NRestarts', 'StatusText')).toEqual({
      NRestarts,
      StatusText: 'reset',
    })
  })

  test('STOPPING=1: TimeoutStopSec= runs from there, and READY=1 takes nothing back', async () => {
    const service = await RemoteService.write(machine(), 'stopping', 'TimeoutStopSec=1')
    const main = await service.startReady()
    await main.run(({ notify }) => notify.notify({ stopping: true }))
    await main.run(({ notify }) => notify.notify({ ready: true, status: 'back again?' }))
    expect(await service.show('ActiveState', 'SubState', 'StatusText')).toEqual({
      ActiveState: 'deactivating',
      SubState: 'stop-sigterm',
      StatusText: 'back again?',
    })
    // Nobody has asked for the stop, and nothing but this timeout ends the process.
    await main.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'timeout' })
    await service.waitForLog("State 'stop-sigterm' timed out. Killing.")
  })

  test('STOPPING=1 before READY=1: the start fails since 259, and was a start before', async () => {
    const service = await RemoteService.write(machine(), 'stopping-early', 'TimeoutStartSec=2')
    const main = await service.start()
    await main.run(({ notify }) => notify.notify({ stopping: true }))
    await main.run(({ notify }) => notify.notify({ ready: true }))
    if ((await machine().systemdVersion()) < 259) {
      await service.waitFor({ ActiveState: 'active', SubState: 'running' })
      return
    }
    await service.waitForLog('Service must stop after STOPPING=1 notification')
    await service.waitFor({ ActiveState: 'failed', Result: 'timeout' })
  })

  test('what cannot be a value is named in the log, and the rest of the message counts', async () => {
    const service = await RemoteService.write(machine(), 'refused', 'FileDescriptorStoreMax=1')
    const main = await service.startReady()
    const version = await machine().systemdVersion()
    for (const { message, log, since = 0 } of REFUSALS) {
      await sendRaw(main, `${message}\nSTATUS=${message}`)
      const { StatusText } = await service.show('StatusText')
      expect(StatusText).toBe(message)
      if (version >= since) await expect.poll(() => machine().log()).toMatch(log)
    }
    // An invalid text clears the status.
    await sendRaw(main, 'STATUS=\xff')
    expect(await service.show('StatusText')).toEqual({ StatusText: '' })
    await service.waitForLog('Status message in notification message is not UTF-8 clean')
  })

  test('what cannot be a message is dropped whole, and the log says so', async () => {
    const service = await RemoteService.write(machine(), 'dropped')
    const main = await service.startReady('whole')
    for (const { message, log } of DROPS) {
      await sendRaw(main, message)
      expect(await service.show('StatusText')).toEqual({ StatusText: 'whole' })
      await expect.poll(() => machine().log()).toMatch(log)
    }
  })
})

/** `since`: the first systemd that knows the assignment; an older one says nothing. */
const REFUSALS: readonly { message: string; log: RegExp; since?: number }[] = [
  { message: 'ERRNO=EWHATEVER', log: /refused.service: Failed to parse ERRNO= .*'EWHATEVER'/ },
  { message: 'WATCHDOG=maybe', log: /refused.service: Passed WATCHDOG= field is invalid/ },
  { message: 'WATCHDOG_USEC=x', log: /refused.service: Failed to parse WATCHDOG_USEC=x/ },
  { message: 'EXTEND_TIMEOUT_USEC=x', log: /refused.service: Failed to parse EXTEND_TIMEOUT_USEC/ },
  { message: 'MAINPID=0', log: /refused.service: Failed to parse MAINPID=/ },
  { message: 'MAINPID=1', log: /refused.service: New main PID 1 is the manager, refusing/ },
  { message: 'FDSTOREREMOVE=1', log: /refused.service: FDSTOREREMOVE=1 requested, but no valid/ },
  { message: 'NOTIFYACCESS=x', log: /refused.service: Failed to parse NOTIFYACCESS=/, since: 254 },
  { message: 'BUSERROR=a b?', log: /refused.service: Got invalid BUSERROR= string/, since: 257 },
]

const DROPS: readonly { message: string; log: RegExp }[] = [
  {
    message: `STATUS=short\nX_LONG=${'.'.repeat(4096)}`,
    log: /exceeded maximum size|truncated payload/,
  },
  { message: 'STATUS=zero\0byte', log: /embedded NUL/ },
  { message: 'STATUS=ends in a backslash\\', log: /Out of memory|Cannot allocate memory/ },
  { message: 'BARRIER=1', log: /Got incorrect number of fds with BARRIER=1/ },
  { message: 'BARRIER=1\nSTATUS=in company', log: /Extra notification messages sent with BARRIER/ },
]
