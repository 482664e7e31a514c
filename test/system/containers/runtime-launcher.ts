import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { launcherScript } from '../../../packages/oci-shim/dist/wrapper/launcher-script.js'
import { inside } from '../repository.js'
import type { ContainerHost } from './container-host.js'

/** Where tests have the program that stands in for runc. */
export const LAUNCHER = '/usr/local/lib/sdbridge/runc'

/** So that dockerd knows it by the name `sdbridge`. */
export const KNOWS_LAUNCHER = `--add-runtime=sdbridge=${LAUNCHER}`

/** Writes it into a machine. */
export async function writeLauncher({ machine }: ContainerHost): Promise<void> {
  const file = machine.path(LAUNCHER)
  await mkdir(dirname(file), { recursive: true })
  const script = launcherScript({
    lowLevel: '/usr/sbin/runc',
    node: machine.nodePath,
    sdbridge: inside('packages/oci-shim/bin/sdbridge.js'),
    grep: '/usr/bin/grep',
  })
  await writeFile(file, script)
  await chmod(file, 0o755)
}
