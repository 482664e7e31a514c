import type { JsonObject } from './exact-json.js'
import { listIn, objectIn } from './json-values.js'
import { nameOfVariable } from './variables.js'

/** What a payload's variables tell it of descriptors, whoever has set them: sd_listen_fds(3). */
const LISTEN_VARIABLES = ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']

/**
 * A configuration whose payload, as process 1 of the container, is told of descriptors by their names, from 3 on; of none, if there are
 * none. Done twice, it is as done once.
 *
 * @param removed Variables that are for nobody inside.
 */
export function withDescriptors(
  config: JsonObject,
  names: readonly string[],
  removed: readonly string[],
): JsonObject {
  const process = objectIn(config['process'])
  const taken = new Set([...LISTEN_VARIABLES, ...removed])
  const kept = listIn(process['env']).filter((each) => !taken.has(nameOfVariable(each)))
  const told =
    names.length === 0
      ? []
      : [`LISTEN_FDS=${names.length}`, 'LISTEN_PID=1', `LISTEN_FDNAMES=${names.join(':')}`]
  return { ...config, process: { ...process, env: [...kept, ...told] } }
}
