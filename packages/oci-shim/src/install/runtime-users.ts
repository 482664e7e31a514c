import { runCommand } from '../engines/command-outcome.js'
import { BridgeError } from '../run/bridge-error.js'

/** What an engine says of those that need a launcher. */
export interface RuntimeUsers {
  /** `NAME (docker)`, each. */
  readonly containers: readonly string[]
  /** Of docker. */
  readonly defaultRuntime: string | undefined
}

const ANSWER_MS = 30_000

/**
 * Asks docker or podman which containers have one of these runtimes, running or not: to stop, start and remove them takes it.
 *
 * @throws BridgeError if it is there and does not answer.
 */
export async function runtimeUsers(
  engine: 'docker' | 'podman',
  runtimes: ReadonlySet<string>,
): Promise<RuntimeUsers> {
  const ask = async (...args: string[]): Promise<string> => {
    const outcome = await runCommand({ file: engine, args }, process.env, ANSWER_MS)
    if (outcome.isMissing || outcome.code === 0) return outcome.stdout
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `${engine} does not tell which containers have the runtime (${outcome.reason}): start it, or give --force`,
    )
  }
  const ids = words(await ask('ps', '--all', '--quiet', '--no-trunc'))
  const text =
    ids.length === 0 ? '' : await ask('inspect', '--type=container', FORMATS[engine], ...ids)
  const containers = text.split('\n').flatMap((line) => {
    const [, container = '', runtime = ''] = /^\/?(\S+) (.*)$/.exec(line) ?? []
    return runtimes.has(runtime) ? [`${container} (${engine})`] : []
  })
  const defaultRuntime =
    engine === 'docker' ? (await ask('info', '--format={{.DefaultRuntime}}')).trim() : undefined
  return { containers, defaultRuntime }
}

const FORMATS = {
  docker: '--format={{.Name}} {{.HostConfig.Runtime}}',
  podman: '--format={{.Name}} {{.OCIRuntime}}',
} as const

function words(text: string): string[] {
  return text.split(/\s+/).filter((each) => each !== '')
}
