import { appendFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, inject, test } from 'vitest'
import { Machine } from '../machine/machine.js'
import { repositoryBind } from '../repository.js'
import { ContainerHost } from './container-host.js'
import type { EngineName } from './container.js'
import { expectNothingLeft, takeInventory, type Inventory } from './leftovers.js'
import { PLACES, SCENARIOS, type Place, type Scenario, type ScenarioId } from './scenarios.js'

const LONGEST_TEST_MS = 120_000

/** One scenario: the same for each engine. */
export type Scenarios = (
  id: ScenarioId,
  situation: string,
  action: (host: ContainerHost, engine: EngineName) => Promise<void>,
  places?: readonly Place[],
) => void

interface HostOptions {
  /** The limit of each test, of two minutes unless it says so. */
  longestTestMs?: number
  /** Of dockerd. */
  dockerd?: string[]
  /** Makes what the file's tests share. */
  prepare?: (host: ContainerHost) => Promise<void>
}

/**
 * Declares scenarios, to be tried with docker, podman, runc and crun on Debian's newest systemd, and with runc on the
 * systemd of this machine. The machines are booted before the first test and halted after the last. After each test
 * the units that it wrote are stopped, and nothing may be left of their containers.
 */
export function describeContainers(
  name: string,
  body: (scenario: Scenarios) => void,
  options: HostOptions = {},
): void {
  const isMissing = inject('missingRequirements').length > 0
  const roots =
    inject('missingForContainers').length > 0
      ? {}
      : { newest: inject('newestRoot'), host: isMissing ? undefined : '/' }
  describeOn('newest', roots.newest, PLACES.slice(0, 4), name, body, options)
  describeOn('host', roots.host, ['runc on host'], name, body, options)
}

function describeOn(
  kind: 'host' | 'newest',
  root: string | undefined,
  places: readonly Place[],
  name: string,
  body: (scenario: Scenarios) => void,
  options: HostOptions,
): void {
  const declared: [place: Place, ...Parameters<Scenarios>][] = []
  body((id, situation, action, only = placesOf(id)) => {
    for (const place of places.filter((each) => only.includes(each)))
      declared.push([place, id, situation, action])
  })
  // A suite without a test is an error.
  if (declared.length === 0) return
  // The reason was printed by global-setup.ts, which also fails where nothing may be skipped.
  describe.skipIf(root === undefined)(`${name} (systemd: ${kind})`, () => {
    let host: ContainerHost
    let before: Inventory

    beforeAll(async () => {
      const machine = await Machine.boot({ root: root ?? '/', binds: [repositoryBind] })
      const engines = [...new Set(places.map(engineOf))]
      host = await ContainerHost.prepare(machine, engines, options)
      await options.prepare?.(host)
      await host.runOnce()
      before = await takeInventory(host)
    }, LONGEST_TEST_MS)

    afterAll(async () => {
      await host?.machine.halt()
    })

    for (const [place, id, situation, action] of declared) {
      test(
        `${id} ${engineOf(place)}: ${situation}`,
        { timeout: options.longestTestMs ?? LONGEST_TEST_MS },
        async ({ task }) => {
          Object.assign(task.meta, { scenario: id, place })
          const tell = (result: string) => record({ id, place, situation, result })
          // Should it never end, then this is what is known of it.
          tell('did not end')
          try {
            await action(host, engineOf(place))
            await host.clear()
            // The other engines take their time to say what they have not done.
            await expectNothingLeft(host, before, [engineOf(place)])
            tell('passed')
          } catch (error) {
            tell('failed')
            // The next test is not to suffer from it.
            await host.clear('by force')
            throw error
          }
        },
      )
    }
  })
}

function engineOf(place: Place): EngineName {
  return place === 'runc on host' ? 'runc' : place
}

function placesOf(id: ScenarioId): Place[] {
  const { except = {} }: Scenario = SCENARIOS[id]
  return PLACES.filter((place) => except[place] === undefined)
}

/** For the table at the end: see scenario-table.ts. */
function record(line: { id: ScenarioId; place: Place; situation: string; result: string }): void {
  appendFileSync(inject('scenarioResults'), `${JSON.stringify(line)}\n`)
}
