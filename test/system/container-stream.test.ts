import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import { describeContainers } from './containers/describe-containers.js'
import { expectAllArrived, startStream, streamGoesOn } from './containers/message-stream.js'
import { whileManagerIsStopped } from './remote/stopped-manager.js'

const SETTINGS = 'FileDescriptorStoreMax=10000'

describeContainers(
  'a stream of messages',
  (scenario) => {
    scenario('stream', 'daemon-reexec', async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'reexec', { settings: SETTINGS })
      const payload = await startStream(service)
      for (let count = 0; count < 2; count++) {
        await host.machine.run('systemctl', ['daemon-reexec'], { timeoutMs: 60_000 })
        await streamGoesOn(payload)
      }
      await expectAllArrived(service, payload)
    })

    scenario('stream', 'a manager that is stopped', async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'stopped', { settings: SETTINGS })
      const payload = await startStream(service)
      const before = payload.stream.sent
      await whileManagerIsStopped(host.machine, async () => {
        await expect
          .poll(() => payload.stream.sent, { timeout: 30_000 })
          .toBeGreaterThan(before + 1200)
      })
      await streamGoesOn(payload)
      await expectAllArrived(service, payload)
    })
  },
  { prepare: async (host) => void (await host.machine.systemctl('log-level', 'debug')) },
)
