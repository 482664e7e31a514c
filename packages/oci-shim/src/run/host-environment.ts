/** What the service manager told this process by variables. */
export interface HostEnvironment {
  /** The host socket; `undefined` if nobody wants to hear anything. */
  readonly notifySocket: string | undefined
  /** `WatchdogSec=`, if it is this process that must ping. */
  readonly watchdogUsec: string | undefined
  /** How many descriptors the unit may store; `undefined` where the manager does not tell (before systemd 254). */
  readonly storeLimit: number | undefined
  /** What tells one start of the unit from the next. */
  readonly invocation: string | undefined
  /** `RuntimeDirectory=`, the first one. */
  readonly runtimeDirectory: string | undefined
  /** The environment of all that is started. */
  readonly passedOn: NodeJS.ProcessEnv
}

/**
 * What is meant for this process alone. runc would install a proxy of its own for NOTIFY_SOCKET, and block; podman takes LISTEN_FDS without
 * asking for whom it was meant, and takes INVOCATION_ID to mean that its monitor belongs into the unit, where the unit's
 * stop would signal it.
 */
const OWN_VARIABLES = [
  'NOTIFY_SOCKET',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
  'FDSTORE',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'MAINPID',
  'MAINPIDFDID',
  'MANAGERPID',
  'MANAGERPIDFDID',
  'SYSTEMD_EXEC_PID',
  'INVOCATION_ID',
  'MEMORY_PRESSURE_WATCH',
  'MEMORY_PRESSURE_WRITE',
  'SDBRIDGE_START_STATE',
]

/** Reads the variables. The caller has taken the descriptors that LISTEN_FDS announces. */
export function readHostEnvironment(env: NodeJS.ProcessEnv = process.env): HostEnvironment {
  const passedOn = { ...env }
  for (const name of OWN_VARIABLES) delete passedOn[name]
  return {
    notifySocket: env['NOTIFY_SOCKET'] === '' ? undefined : env['NOTIFY_SOCKET'],
    watchdogUsec: watchdogOf(env),
    storeLimit: storeLimitOf(env),
    invocation: env['INVOCATION_ID'],
    runtimeDirectory: env['RUNTIME_DIRECTORY']?.split(':')[0] || undefined,
    passedOn,
  }
}

function watchdogOf({ WATCHDOG_PID, WATCHDOG_USEC }: NodeJS.ProcessEnv): string | undefined {
  const isForUs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid)
  return isForUs && /^[1-9]\d*$/.test(WATCHDOG_USEC ?? '') ? WATCHDOG_USEC : undefined
}

function storeLimitOf({ FDSTORE, MEMORY_PRESSURE_WATCH }: NodeJS.ProcessEnv): number | undefined {
  if (FDSTORE !== undefined && /^\d{1,9}$/.test(FDSTORE)) return Number(FDSTORE)
  // systemd 254 and newer tell this, too, nearly always; so there is no store.
  return MEMORY_PRESSURE_WATCH === undefined ? undefined : 0
}
