import { afterAll, beforeAll, describe, inject } from 'vitest'
import { Machine } from './machine/machine.js'
import { repositoryBind } from './repository.js'

export type BootOptions = NonNullable<Parameters<typeof Machine.boot>[0]>

/**
 * Declares the same tests for each systemd that we test with: `host`, this machine's own, and
 * `newest`, that of the newest Debian. The machine is booted before the first test and halted after
 * the last, with the repository visible inside (see repository.js), so that node_modules and dist work there.
 */
export function describeOnEachSystemd(
  name: string,
  body: (getMachine: () => Machine) => void,
  options: BootOptions = {},
): void {
  const isMissing = inject('missingRequirements').length > 0
  describeOn('host', isMissing ? undefined : '/', name, body, options)
  describeOn('newest', inject('newestRoot'), name, body, options)
}

function describeOn(
  kind: 'host' | 'newest',
  root: string | undefined,
  name: string,
  body: (getMachine: () => Machine) => void,
  options: BootOptions,
): void {
  // The reason was printed by global-setup.ts, which also fails where nothing may be skipped.
  describe.skipIf(root === undefined)(`${name} (systemd: ${kind})`, () => {
    let machine: Machine | undefined

    beforeAll(async () => {
      machine = await Machine.boot({
        ...options,
        root: root ?? '/',
        binds: [repositoryBind, ...(options.binds ?? [])],
      })
      await printVersions(kind, machine)
    })

    afterAll(async () => {
      await machine?.halt()
    })

    body(() => {
      if (machine === undefined) throw new Error('the machine is there only while its tests run')
      return machine
    })
  })
}

async function printVersions(kind: string, machine: Machine): Promise<void> {
  const systemd = await machine.systemdVersion()
  const node = await machine.run(machine.nodePath, ['--version'])
  process.stderr.write(`${kind}: systemd ${systemd}, node ${node.stdout}`)
}
