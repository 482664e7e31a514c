import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { Container, EngineName } from './containers/container.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'

describeContainers('how a container ends', (scenario) => {
  scenario('end', '0: the unit is inactive, and has succeeded', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'fine', { settings: TELLS_ENDING })
    const payload = await service.startReady()
    await payload.exit(0)
    await service.waitFor({ ActiveState: 'inactive' })
    await waitForEnding(service, 'success exited 0')
  })

  scenario('end', '3, under Restart=on-failure: there is a next one', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'failing', {
      settings: `Restart=on-failure\nRestartSec=100ms\n${TELLS_ENDING}`,
    })
    const first = await service.startReady()
    await first.exit(3)
    const second = await service.payload()
    await service.waitForLog('Failed with result')
    expect(await host.machine.log()).toMatch(
      new RegExp(`${service.unit}: Main process exited, code=exited, status=3`),
    )
    expect((await service.show('NRestarts'))['NRestarts']).toBe('1')
    await second.send('READY=1')
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
    await second.exit(0)
    await waitForEnding(service, 'success exited 0')
  })

  scenario('end', 'SIGTERM, which the service manager takes for clean', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'terminated', {
      settings: `Restart=on-failure\n${TELLS_ENDING}`,
      container: MORTAL,
    })
    const payload = await service.startReady()
    await payload.die('SIGTERM')
    await service.waitFor({ ActiveState: 'inactive' })
    await waitForEnding(service, 'success killed TERM')
  })

  scenario('end', 'SIGKILL from inside', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'killed', { container: MORTAL })
    const payload = await service.startReady()
    await payload.die('SIGKILL')
    await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    expect(await ending(service)).toEqual({ ExecMainCode: KILLED, ExecMainStatus: '9' })
  })

  scenario('end', 'SIGKILL by the engine', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'put-down', {
      container: { name: 'put-down' },
    })
    const payload = await service.startReady()
    await host.machine.run(engine, killOf(engine, 'put-down'))
    await payload.ended
    await service.waitFor({ ActiveState: 'failed', Result: 'signal' })
    expect(await ending(service)).toEqual({ ExecMainCode: KILLED, ExecMainStatus: '9' })
  })

  scenario('logs', 'what the payload writes, and where', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'talkative', {
      settings: TELLS_ENDING,
    })
    const payload = await service.startReady()
    await payload.write('to standard output\n')
    await payload.write('to standard error: déjà vu\n', 2)
    await service.waitForOutput('to standard output\n')
    await service.waitForOutput('to standard error: déjà vu\n')
    const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}`)
    await payload.write(`${lines.join('\n')}\nthe last word`)
    await payload.exit(0)
    await waitForEnding(service, 'success exited 0')
    await service.waitForOutput('the last word')
    const written = service.output().split('\n')
    expect(written.filter((line) => line.startsWith('line '))).toEqual(lines)
  })
})

describeContainers('a conversation that goes on', (scenario) => {
  scenario('S20', 'daemon-reexec: all of it arrives, in order', async (host, engine) => {
    const isTold = (await host.machine.systemdVersion()) >= 256
    if (isTold) await host.machine.systemctl('log-level', 'debug')
    const service = await BridgedService.write(host, engine, 'numbered')
    const payload = await service.start()
    const messages = Array.from({ length: 100 }, (_, index) => `STATUS=${index}\nX_NUMBER=${index}`)
    const conversation = (async () => {
      for (const text of messages) {
        await payload.send(text)
        await payload.sleep(10)
      }
      await payload.send('READY=1\nX_NUMBER=ready')
    })()
    for (let count = 0; count < 2; count += 1)
      await host.machine.run('systemctl', ['daemon-reexec'], { timeoutMs: 60_000 })
    await conversation
    await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusText: '99' })
    if (!isTold) return
    // The manager's log comes a moment later than what it does.
    await service.waitForLog('Got notification message')
    const expected = [...messages, 'READY=1\nX_NUMBER=ready']
    await expect
      .poll(() => service.notifications(), { timeout: 20_000 })
      .toEqual(expected.map((text) => text.replaceAll('\n', ', ')))
    await host.machine.systemctl('log-level', 'info')
  })
})

/** As systemctl shows CLD_KILLED. */
const KILLED = '2'

/** A payload that a signal can end: it is not the first process of its pid namespace. */
const MORTAL: Partial<Container> = {
  init: true,
  edit: ({ linux }) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'pid')
  },
}

function ending(service: BridgedService): Promise<Record<string, string>> {
  return service.show('ExecMainCode', 'ExecMainStatus')
}

function killOf(engine: EngineName, name: string): string[] {
  return engine === 'docker' || engine === 'podman'
    ? ['kill', '--signal', 'KILL', name]
    : ['kill', name, 'KILL']
}
