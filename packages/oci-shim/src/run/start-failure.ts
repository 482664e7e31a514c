import { BridgeError } from './bridge-error.js'

/** What the host or the unit has too little of, and where more of it comes from. */
const SHORTAGES: Record<string, string> = {
  EAGAIN:
    'expected room for another process, found none: raise TasksMax= or LimitNPROC= of the unit',
  EMFILE: 'expected a free descriptor, found none in the bridge: raise LimitNOFILE= of the unit',
  ENFILE: 'expected a free descriptor, found none on the host: raise the sysctl fs.file-max',
  ENOMEM:
    'expected memory for another process, found none: raise MemoryMax= of the unit, or free some on the host',
  E2BIG:
    'expected a command line and an environment that the kernel takes, found longer ones: shorten them (--env-file, for one)',
}

/** Why a program that is there could not be started, by what the kernel says (execve(2), fork(2)). */
export function startFailure(program: string, error: NodeJS.ErrnoException): BridgeError {
  const code = error.code ?? error.message
  const shortage = SHORTAGES[code]
  const text =
    shortage ??
    'expected a program for this machine, and its interpreter: is it one, and is that there?'
  return new BridgeError(
    shortage === undefined ? 'ERR_BRIDGE_NOT_EXECUTABLE' : 'ERR_BRIDGE_FAILED',
    `cannot start ${program} (${code}): ${text}`,
    { cause: error },
  )
}
