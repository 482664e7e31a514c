import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'

describeContainers('what a container says of its state', (scenario) => {
  scenario('S1', 'nothing: the unit is activating until its time is up', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'silent')
    const payload = await service.start()
    expect(await service.show('ActiveState')).toEqual({ ActiveState: 'activating' })
    // Up at once, which it must not be before the container is there.
    await service.writeDropIn('TimeoutStartSec=1')
    await payload.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'timeout' })
    expect(payload.signals).toEqual(['SIGTERM'])
  })

  scenario(
    'S1',
    'a unit that wants no notifications: the payload is told of no socket',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'unasked', {
        settings: `Type=exec\nNotifyAccess=none\n${TELLS_ENDING}`,
      })
      const payload = await service.start()
      await service.waitFor({ ActiveState: 'active', SubState: 'running' })
      expect(await payload.environment()).not.toHaveProperty('NOTIFY_SOCKET')
      await payload.exit(0)
      await waitForEnding(service, 'success exited 0')
    },
  )

  scenario('S3', 'STATUS= alone: the unit is not active', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'starting')
    const payload = await service.start()
    await payload.send('STATUS=half way there')
    await service.waitFor({ StatusText: 'half way there' })
    expect(await service.show('ActiveState')).toEqual({ ActiveState: 'activating' })
    await payload.send('READY=1')
    await service.waitFor({
      ActiveState: 'active',
      SubState: 'running',
      StatusText: 'half way there',
    })
  })

  scenario(
    'S4',
    'the container runs, and its engine answers, while READY=1 is awaited',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'awaited', {
        settings: TELLS_ENDING,
        container: { name: 'awaited' },
      })
      const payload = await service.start()
      const { stdout } = await host.machine.run(engine, ['exec', 'awaited', 'echo', 'here'])
      expect(stdout).toBe('here\n')
      expect(await service.show('ActiveState')).toEqual({ ActiveState: 'activating' })
      // A stop reaches it before it is ready.
      await service.systemctl('stop')
      expect(payload.signals).toEqual(['SIGTERM'])
      await waitForEnding(service, 'success exited 0')
    },
  )

  scenario('S5', 'READY=1 behind a status', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'second-line')
    const payload = await service.start()
    await payload.send('STATUS=first\nREADY=1')
    await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: 'first' })
  })

  scenario(
    'S6',
    'READY=10, NOTREADY=1 and the like do not make a unit active',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'look-alike')
      const payload = await service.start()
      for (const text of [
        ...['READY=10', 'NOTREADY=1', 'READY=0', 'READY=', 'READY', 'ready=1', 'READY =1'],
        ...['X_READY=1', 'STATUS=READY=1', 'XREADY=1\nREADY=1x'],
      ]) {
        await payload.send(text)
      }
      await payload.send('STATUS=after all that')
      await service.waitFor({ StatusText: 'after all that' })
      expect(await service.show('ActiveState')).toEqual({ ActiveState: 'activating' })
      await payload.send('NOTREADY=1\nREADY=1')
      await service.waitFor({ ActiveState: 'active', SubState: 'running' })
    },
  )

  scenario('S7', 'status and errors of a running service', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'running')
    const payload = await service.startReady()
    await payload.send('STATUS=serving\nERRNO=5\nBUSERROR=org.example.Error')
    await service.waitFor({
      ...{ StatusText: 'serving', StatusErrno: '5' },
      // An older one takes it too, and does not show it.
      ...((await host.machine.systemdVersion()) > 255 && { StatusBusError: 'org.example.Error' }),
    })
    await payload.send('STATUS=déjà vu — 終')
    await service.waitFor({ StatusText: 'déjà vu — 終', ActiveState: 'active' })
  })

  scenario(
    'S10',
    'STOPPING=1: the unit is deactivating, and READY=1 changes nothing',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'stopping', {
        settings: TELLS_ENDING,
      })
      const payload = await service.startReady()
      await payload.send('STOPPING=1\nSTATUS=going')
      await service.waitFor({ ActiveState: 'deactivating', StatusText: 'going' })
      await payload.send('READY=1\nSTATUS=not yet')
      await service.waitFor({ ActiveState: 'deactivating', StatusText: 'not yet' })
      expect(payload.signals).toEqual([])
      await payload.exit(0)
      await waitForEnding(service, 'success exited 0')
    },
  )

  scenario('S11', 'a start that takes longer than TimeoutStartSec=', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'slow', {
      settings: 'TimeoutStartSec=8',
    })
    const payload = await service.start()
    await payload.send('EXTEND_TIMEOUT_USEC=60000000\nSTATUS=extended')
    await service.waitFor({ StatusText: 'extended' })
    await payload.sleep(9000)
    expect(await service.show('ActiveState')).toEqual({ ActiveState: 'activating' })
    await payload.send('READY=1')
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
  })

  scenario('S16', 'exit code 3 before READY=1 is the unit’s', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'early-end')
    const payload = await service.start()
    await payload.send('STATUS=giving up')
    await payload.exit(3)
    await service.waitFor({ ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '3' })
    expect(await service.show('StatusText', 'ExecMainCode')).toEqual({
      StatusText: 'giving up',
      ExecMainCode: '1',
    })
  })

  scenario(
    'S16',
    'an end without READY=1 and without an error breaks the protocol',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'never-ready', {
        container: { argv: ['true'] },
      })
      await service.startToTheEnd()
      expect(await service.show('ActiveState', 'Result', 'ExecMainStatus')).toEqual({
        ActiveState: 'failed',
        Result: 'protocol',
        ExecMainStatus: '0',
      })
    },
  )
})
