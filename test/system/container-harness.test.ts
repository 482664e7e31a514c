import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import { describeContainers } from './containers/describe-containers.js'

describeContainers('harness', (scenario) => {
  scenario('end', 'plain engine', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'plain', { execStart: ['/bin/false'] })
    const execStart = await service.engineCommand()
    host.services.delete(service)
    const plain = await BridgedService.write(host, engine, 'plain', {
      execStart,
      settings: 'Type=exec\nUnsetEnvironment=NOTIFY_SOCKET\nExecStopPost=',
    })
    const payload = await plain.start()
    await payload.write('hello\n')
    await plain.waitForOutput('hello')
    console.error(
      engine,
      payload.pid,
      payload.uid,
      await payload.environment(),
      await payload.limitsAndSignals(),
      await payload.openFds(),
    )
    await payload.exit(7)
    await plain.waitFor({ ExecMainStatus: '7' })
    expect(payload.signals).toEqual([])
  })
})
