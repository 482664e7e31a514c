import { rmSync } from 'node:fs'
import { removeStaleSocketFile } from '@sdbridge/syscalls'
import { DescriptorBroker } from '../broker/descriptor-broker.js'
import type { EngineName } from '../engines/launch.js'
import { tell } from './operator-log.js'
import type { PreparedRun } from './prepare-run.js'
import type { RunOptions } from './run-options.js'

/** The units whose processes start the runtimes of an engine's containers. */
const ENGINE_UNITS: Partial<Record<EngineName, readonly string[]>> = {
  docker: ['docker.service', 'containerd.service'],
  nerdctl: ['containerd.service'],
}
/** The same for a command that is no known engine's: whatever starts containers for it. */
const ANY_ENGINE_UNITS = [...new Set(Object.values(ENGINE_UNITS).flat())]

/** The units whose processes may ask for the descriptors of a container of this engine, or of a command that is none's. */
export function engineUnitsOf(
  engine: EngineName | undefined,
  { engineUnits }: Pick<RunOptions, 'engineUnits'>,
): readonly string[] {
  const known = engine === undefined ? ANY_ENGINE_UNITS : (ENGINE_UNITS[engine] ?? [])
  return [...known, ...engineUnits]
}

/**
 * Has the unit's descriptors ready for the runtime of its container, which asks for them when the engine starts it, and lets go of them
 * then. Nothing to do where the engine's client takes them along.
 *
 * @returns What ends it.
 */
export function offerDescriptors({
  identity,
  options,
  plan,
  request,
  sockets,
}: PreparedRun): (() => void) | undefined {
  if (request === undefined) return undefined
  const { id, path } = request
  removeStaleSocketFile(path)
  const broker = new DescriptorBroker({
    path,
    id,
    rule: {
      unitCgroup: identity.cgroup,
      engineUnits: engineUnitsOf(plan?.launch.engine, options),
    },
    fds: sockets.fds.map(({ fd }) => fd),
    names: sockets.names,
    onHandedOver: () => {
      end()
      for (const socket of sockets.fds) socket.close()
    },
    onRefused: (reason) => tell(`no descriptors for who asks at ${path}: ${reason}`),
  })
  const end = (): void => {
    broker.close()
    rmSync(path, { force: true })
  }
  return end
}
