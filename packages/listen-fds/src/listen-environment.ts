import { debug } from './diagnostics.js'
import { ListenFdsError } from './errors.js'
import { pidfdIdOf } from './pidfd-id.js'
import { parseInteger } from './parse-integer.js'

/** The first descriptor that a service manager passes; SD_LISTEN_FDS_START. */
export const LISTEN_FDS_START = 3

/** What the environment says of the descriptors. */
export interface ListenEnvironment {
  /** How many there are, from `LISTEN_FDS_START` on. */
  count: number
  /** Their names in order, not yet compared with their count; `undefined` if it names none. */
  names: readonly string[] | undefined
  /** `LISTEN_FDNAMES` as it is, for messages. */
  namesText: string
}

const PID_MAX = 0x7fff_ffffn
const INT_MAX = 0x7fff_ffffn
const UINT64_MAX = 0xffff_ffff_ffff_ffffn
const VARIABLES = ['LISTEN_PID', 'LISTEN_PIDFDID', 'LISTEN_FDS', 'LISTEN_FDNAMES']

/**
 * Reads the variables in the order in which sd_listen_fds_with_names(3) does, so that several mistakes at
 * once give its answer too.
 *
 * @param pid The process that `LISTEN_PID` must name.
 * @returns `undefined` if nothing was passed, or if it was meant for another process.
 * @throws ListenFdsError `ERR_LISTEN_FDS_INVALID_ENVIRONMENT`.
 */
export function readListenEnvironment(
  env: NodeJS.ProcessEnv,
  pid: number,
): ListenEnvironment | undefined {
  const { LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS, LISTEN_FDNAMES } = env
  const names = LISTEN_FDNAMES === undefined ? undefined : splitNames(LISTEN_FDNAMES)

  if (LISTEN_PID === undefined) return undefined
  if (readPid(LISTEN_PID) !== BigInt(pid)) {
    debug('LISTEN_PID=%s, but this is %d: a shell or npm before it did not exec', LISTEN_PID, pid)
    return undefined
  }
  if (LISTEN_PIDFDID !== undefined && !isPidfdIdOf(pid, LISTEN_PIDFDID)) return undefined
  if (LISTEN_FDS === undefined) return undefined
  return { count: readCount(LISTEN_FDS), names, namesText: LISTEN_FDNAMES ?? '' }
}

/** Removes the variables, so that children do not think that the descriptors are theirs. */
export function unsetListenEnvironment(env: NodeJS.ProcessEnv): void {
  for (const variable of VARIABLES) delete env[variable]
}

/** The name of each descriptor; all are `unknown` if the environment names none. */
export function namesOfDescriptors(environment: ListenEnvironment): readonly string[] {
  const { count, names, namesText } = environment
  if (names === undefined) return Array<string>(count).fill('unknown')
  if (names.length === count) return names
  throw invalid(
    'LISTEN_FDNAMES',
    namesText,
    `holds ${names.length} name(s) for the ${count} descriptor(s) of LISTEN_FDS; ` +
      "whoever passes them must name each one, separated by ':', or unset the variable",
  )
}

// A backslash makes the next character an ordinary one, as in the rest of libsystemd; no manager uses it.
function splitNames(text: string): string[] {
  const names: string[] = []
  let name = ''
  for (let at = 0; at < text.length; at++) {
    if (text[at] === ':') {
      names.push(name)
      name = ''
      continue
    }
    if (text[at] === '\\' && ++at === text.length) {
      throw invalid('LISTEN_FDNAMES', text, 'ends in a backslash that escapes nothing; remove it')
    }
    name += text[at]
  }
  return [...names, name]
}

function readPid(text: string): bigint {
  const pid = parseInteger(text)
  if (pid !== undefined && pid >= 1n && pid <= PID_MAX) return pid
  const advice = 'whoever passes descriptors must set it to the pid of the process they are for'
  throw invalid('LISTEN_PID', text, `is not a process id; ${advice}`)
}

// With PrivatePIDs= systemd 259 to 262 sets the id of its helper, which no service can match: such a service
// removes the variable beforehand.
function isPidfdIdOf(pid: number, text: string): boolean {
  const id = parseInteger(text)
  if (id === undefined || id < 0n || id > UINT64_MAX) {
    const advice = 'it must be the decimal inode of a pidfd, or unset'
    throw invalid('LISTEN_PIDFDID', text, `is not a 64-bit number; ${advice}`)
  }
  const expected = pidfdIdOf(pid)
  return expected === undefined || expected === id
}

function readCount(text: string): number {
  const count = parseInteger(text)
  const most = INT_MAX - BigInt(LISTEN_FDS_START)
  if (count !== undefined && count >= 1n && count <= most) return Number(count)
  const advice = 'whoever passes none must leave it unset'
  throw invalid('LISTEN_FDS', text, `is not a number from 1 to ${most}; ${advice}`)
}

function invalid(variable: string, value: string, problem: string): ListenFdsError {
  const shown = JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value)
  const message = `${variable}=${shown} ${problem}`
  return new ListenFdsError('ERR_LISTEN_FDS_INVALID_ENVIRONMENT', message, { variable, value })
}
