import { basename, dirname, join } from 'node:path'
import type { EngineCommand } from '../engines/engine-command.js'
import { runCommand } from '../engines/command-outcome.js'
import { isServed, PrivateDirectory } from './private-directory.js'

const ANSWER_MS = 10_000

/** Whether a bridge is at work for a container of docker or podman: at a directory of the host that is bound into it. */
export async function isServedContainer(
  { file, globals }: Pick<EngineCommand, 'file' | 'globals'>,
  id: string,
  env: NodeJS.ProcessEnv,
): Promise<boolean> {
  const format = '{{range .Mounts}}{{println .Source}}{{end}}'
  const args = [...globals, 'container', 'inspect', '--format', format, id]
  const { stdout } = await runCommand({ file, args }, env, ANSWER_MS)
  return stdout
    .split('\n')
    .some((source) => basename(source) === 'notify' && isServed(join(source, 'notify.sock')))
}

/** The same of runc and crun, by the bundle that they were given: the bridge's copy of it, in its private directory. */
export function isServedBundle(bundle: string | undefined): boolean {
  return bundle !== undefined && new PrivateDirectory(dirname(bundle)).isServed
}
