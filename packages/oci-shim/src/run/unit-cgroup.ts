import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EngineCommand } from '../engines/engine-command.js'
import { tell } from './operator-log.js'
import type { UnitIdentity } from './unit-identity.js'
import type { UnitSettings } from './unit-settings.js'

const ROOT = '/sys/fs/cgroup'

/**
 * The unit's cgroup, if a container's may be made below it: then the service manager ends the container whatever becomes of this
 * process. That is allowed by `Delegate=`, and by drivers that take a path.
 *
 * @returns As in /proc/self/cgroup.
 */
export function cgroupForContainer(
  { unit, cgroup }: UnitIdentity,
  { delegate }: UnitSettings,
  { engine }: EngineCommand,
  driver: string | undefined,
): string | undefined {
  if (unit === undefined || delegate !== true || !isUnified()) return undefined
  // docker's other driver asks systemd for a scope in a slice, which a unit is not. podman and the runtimes have ways of their own.
  const takesPath = engine === 'docker' || engine === 'nerdctl' ? driver === 'cgroupfs' : true
  return takesPath ? cgroup : undefined
}

/** Whether this host has the one hierarchy of cgroups (v2), in which a part can be given away. */
export function isUnified(root: string = ROOT): boolean {
  return existsSync(join(root, 'cgroup.controllers'))
}

/**
 * Moves this process into a cgroup of its own below the unit's: the kernel lets a cgroup have either processes or groups with
 * controllers.
 */
export function makeRoomForContainer(cgroup: string): void {
  const own = join(ROOT, cgroup, 'sdbridge')
  try {
    mkdirSync(own, { recursive: true })
    writeFileSync(join(own, 'cgroup.procs'), String(process.pid))
  } catch (error) {
    tell(`cannot move from the unit's cgroup into one below it: ${(error as Error).message}`)
  }
}
