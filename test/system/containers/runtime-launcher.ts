import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { launcherScript } from '../../../packages/oci-shim/dist/wrapper/launcher-script.js'
import { inside } from '../repository.js'
import type { ContainerHost } from './container-host.js'

const FOLDER = '/usr/local/lib/sdbridge'
const LOW_LEVELS = ['/usr/sbin/runc', '/usr/bin/crun']

/** Where tests have the program that stands in for runc. */
export const LAUNCHER = `${FOLDER}/runc`

/** And the one for crun. */
export const CRUN_LAUNCHER = `${FOLDER}/crun`

/** So that dockerd knows it by the name `sdbridge`. */
export const KNOWS_LAUNCHER = `--add-runtime=sdbridge=${LAUNCHER}`

/**
 * Writes them into a machine.
 *
 * @param grep A program that does more than grep(1).
 */
export async function writeLauncher(
  { machine }: ContainerHost,
  grep = '/usr/bin/grep',
): Promise<void> {
  await mkdir(machine.path(FOLDER), { recursive: true })
  for (const lowLevel of LOW_LEVELS) {
    const file = machine.path(`${FOLDER}/${basename(lowLevel)}`)
    const sdbridge = inside('packages/oci-shim/bin/sdbridge.js')
    const script = launcherScript({ lowLevel, node: machine.nodePath, sdbridge, grep })
    await writeFile(file, script)
    await chmod(file, 0o755)
  }
}
