import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { DIRECTORY_LABEL, UNIT_LABEL } from '../engines/labels.js'
import { BridgeError } from './bridge-error.js'
import { runCommand } from '../engines/command-outcome.js'
import { served } from './leftovers.js'
import { tell } from './operator-log.js'
import { hasProgram } from './program-file.js'
import { isServedContainer } from './served-container.js'

const ANSWER_MS = 10_000

/**
 * Removes the containers of a unit that docker and podman have, by their label, where nothing is noted of them. An engine that is not in
 * use here is not asked: podman would make itself at home.
 *
 * @param checkIsFree Throws if a start of the unit has come in between, whose container it may be.
 * @throws BridgeError if one has a bridge at work, or cannot be removed.
 */
export async function removeLabelledContainers(
  unit: string,
  env: NodeJS.ProcessEnv,
  checkIsFree = (): void => {},
): Promise<void> {
  for (const engine of ['docker', 'podman'] as const) {
    if (!isInUse(engine, env)) continue
    const list = async (...labels: string[]): Promise<string[]> => {
      const filters = labels.flatMap((label) => ['--filter', `label=${label}`])
      const args = ['ps', '--all', '--quiet', '--no-trunc', ...filters]
      const { code, stdout, reason } = await runCommand({ file: engine, args }, env, ANSWER_MS)
      if (code === 0) return stdout.split('\n').filter((line) => line !== '')
      tell(`${engine} does not say whether it has a container of ${unit}: ${reason}`)
      return []
    }
    const all = await list(`${UNIT_LABEL}=${unit}`)
    // What was created to be started is not what a start has left behind.
    const lasting = all.length === 0 ? [] : await list(`${UNIT_LABEL}=${unit}`, DIRECTORY_LABEL)
    for (const id of all.filter((each) => !lasting.includes(each))) {
      if (await isServedContainer({ file: engine, globals: [] }, id, env)) throw served(id, unit)
      checkIsFree()
      tell(`removing the container ${id}, which ${unit} has left behind`)
      const removal = await runCommand(
        { file: engine, args: ['rm', '--force', id] },
        env,
        ANSWER_MS,
      )
      if (removal.code !== 0) {
        throw new BridgeError(
          'ERR_BRIDGE_FAILED',
          `cannot remove the container ${id}: ${removal.reason}`,
        )
      }
    }
  }
}

function isInUse(engine: 'docker' | 'podman', env: NodeJS.ProcessEnv): boolean {
  if (!hasProgram(engine, env)) return false
  if (engine === 'docker') return env['DOCKER_HOST'] !== undefined || existsSync('/run/docker.sock')
  const data = env['XDG_DATA_HOME'] ?? join(homedir(), '.local/share')
  const isRoot = process.geteuid!() === 0
  return existsSync(join(isRoot ? '/var/lib' : data, 'containers/storage'))
}
