import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { UNIT_LABEL } from '../engines/labels.js'
import { resolveProgram } from './child-process.js'
import { runCommand } from './command-outcome.js'
import { tell } from './operator-log.js'

const ANSWER_MS = 10_000

/**
 * Removes the containers of a unit that docker and podman have, by their label, where nothing is noted of them. An engine that is not in
 * use here is not asked: podman would make itself at home.
 */
export async function removeLabelledContainers(
  unit: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  for (const engine of ['docker', 'podman'] as const) {
    if (!isInUse(engine, env)) continue
    const filter = ['--filter', `label=${UNIT_LABEL}=${unit}`]
    const args = ['ps', '--all', '--quiet', '--no-trunc', ...filter]
    const { code, stdout, reason } = await runCommand({ file: engine, args }, env, ANSWER_MS)
    if (code !== 0) tell(`${engine} does not say whether it has a container of ${unit}: ${reason}`)
    const ids = code === 0 ? stdout.split('\n').filter((line) => line !== '') : []
    for (const id of ids) {
      tell(`removing the container ${id}, which ${unit} has left behind`)
      const removal = await runCommand(
        { file: engine, args: ['rm', '--force', id] },
        env,
        ANSWER_MS,
      )
      if (removal.code !== 0) tell(`cannot remove the container ${id}: ${removal.reason}`)
    }
  }
}

function isInUse(engine: 'docker' | 'podman', env: NodeJS.ProcessEnv): boolean {
  try {
    resolveProgram(engine, env)
  } catch {
    return false
  }
  if (engine === 'docker') return env['DOCKER_HOST'] !== undefined || existsSync('/run/docker.sock')
  const data = env['XDG_DATA_HOME'] ?? join(homedir(), '.local/share')
  const isRoot = process.geteuid!() === 0
  return existsSync(join(isRoot ? '/var/lib' : data, 'containers/storage'))
}
