import { ContainerHost } from '../containers/container-host.js'
import { KNOWS_LAUNCHER, writeLauncher } from '../containers/runtime-launcher.js'
import { Machine } from '../machine/machine.js'
import { repositoryBind } from '../repository.js'
import { Gathering } from './gathering.js'
import { Lane } from './lane.js'
import { startRemappedDocker } from './remapped-docker.js'
import type { Rival } from './rivals.js'
import type { Scenario } from './scenarios.js'
import type { Seen } from './seen.js'
import { UnitStates } from './unit-states.js'
import { versionsOf } from './versions.js'

interface Plan {
  /** The root file system of the machine. */
  root: string
  rivals: readonly Rival[]
  scenarios: readonly Scenario[]
  /** What was seen before: what differs from it is looked at twice. */
  before: Seen
}

/** Boots a machine and puts every question to every rival: the rivals side by side, of each one question after the other. */
export async function observe({ root, rivals, scenarios, before }: Plan): Promise<Seen> {
  const machine = await Machine.boot({ root, binds: [repositoryBind] })
  try {
    const engines = ['docker', 'podman', 'runc', 'crun'] as const
    const host = await ContainerHost.prepare(machine, engines, { dockerd: [KNOWS_LAUNCHER] })
    await writeLauncher(host)
    await Promise.all([host.runOnce(), startRemappedDocker(machine)])
    const states = new UnitStates(machine)
    const lanes = rivals.map((rival) => new Lane(rival, host, states))
    for (const lane of lanes) await lane.write(scenarios)
    await machine.systemctl('daemon-reload')

    await Promise.all(lanes.map((lane) => lane.askEach(scenarios)))
    for (const scenario of scenarios.filter((each) => each.in === 'together')) {
      const gathering = new Gathering(lanes.length)
      await Promise.all(lanes.map((lane) => lane.askTogether(scenario, gathering)))
    }
    for (const lane of lanes) await lane.askAgain(scenarios, before.rivals[lane.rival.id] ?? {})
    return {
      versions: await versionsOf(machine),
      rivals: Object.fromEntries(lanes.map(({ rival, answers }) => [rival.id, answers])),
    }
  } finally {
    await machine.halt()
  }
}
