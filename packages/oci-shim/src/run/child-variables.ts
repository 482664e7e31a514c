import { formatRequest, REQUEST_VARIABLE } from '../engines/descriptor-request.js'
import type { PreparedRun } from './prepare-run.js'

/** What is set in the environment of the program that is started; LISTEN_PID comes to it when it has a pid. */
export function childVariables({
  plan,
  request,
  variables,
  sockets,
}: PreparedRun): Record<string, string> {
  if (plan !== undefined) return { ...plan.launch.environment }
  if (request !== undefined) return { ...variables, [REQUEST_VARIABLE]: formatRequest(request) }
  const { names } = sockets
  if (names.length === 0) return { ...variables }
  return { ...variables, LISTEN_FDS: String(names.length), LISTEN_FDNAMES: names.join(':') }
}
