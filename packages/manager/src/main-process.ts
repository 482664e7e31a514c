import { type ChildProcess, spawn } from 'node:child_process'
import { setNonBlocking } from '@sdbridge/syscalls'
import type { ActivationSocket } from './activation-sockets.js'
import type { Unit } from './service-options.js'

/** What a manager tells a service; inherited values are somebody else's. */
const OWN_VARIABLES = [
  'NOTIFY_SOCKET',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
  'FDSTORE',
]

interface MainProcessEvents {
  onExit: (code: number | null, signal: NodeJS.Signals | null) => void
  /** It could not be started: no shell, or no such working directory. */
  onError: (error: Error) => void
}

/** The service's main process, in a process group of its own, with its sockets from descriptor 3 on. */
export class MainProcess {
  readonly #child: ChildProcess

  /** @throws SystemError, such as `E2BIG`, where it fails before anything was tried. */
  constructor(
    unit: Unit,
    notifySocket: string,
    sockets: readonly ActivationSocket[],
    { onExit, onError }: MainProcessEvents,
  ) {
    const { env, launcher } = environmentOf(unit, notifySocket, sockets)
    // As systemd hands sockets over, whatever the last run has made of them: the flag is shared with it.
    for (const { fd } of sockets) setNonBlocking(fd, false)
    this.#child = spawn('/bin/sh', ['-c', `${launcher} exec "$@"`, 'sdrun', ...unit.command], {
      cwd: unit.cwd,
      env,
      detached: true,
      stdio: ['ignore', unit.output, unit.output, ...sockets.map((socket) => socket.fd)],
    })
    this.#child.on('exit', onExit)
    this.#child.on('error', (error) => {
      // A signal that could not be sent is reported here too; the process is there all the same.
      if (this.#child.pid === undefined) onError(error)
    })
  }

  /** `undefined` if it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  get output(): Pick<ChildProcess, 'stdout' | 'stderr'> {
    return this.#child
  }

  /** Signals the main process; `false` if it may not be signalled or is gone. */
  kill(signal: NodeJS.Signals): boolean {
    return signalled(this.#child.pid, signal)
  }

  /** Signals every process of the group, which may outlive the main process. */
  killGroup(signal: NodeJS.Signals): boolean {
    const { pid } = this.#child
    return signalled(pid === undefined ? undefined : -pid, signal)
  }
}

function signalled(pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(pid, signal)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ESRCH' || code === 'EPERM') return false
    throw error
  }
}

function environmentOf(
  unit: Unit,
  notifySocket: string,
  sockets: readonly ActivationSocket[],
): { env: NodeJS.ProcessEnv; launcher: string } {
  const env: NodeJS.ProcessEnv = { ...unit.env }
  for (const name of OWN_VARIABLES) delete env[name]
  if (unit.notifyAccess !== 'none') env['NOTIFY_SOCKET'] = notifySocket
  // WATCHDOG_PID and LISTEN_PID hold the pid of the service itself, which nobody knows before the fork. The
  // shell is that process already, and exec keeps the number.
  let launcher = ''
  if (unit.watchdogMs !== undefined) {
    env['WATCHDOG_USEC'] = String(Math.round(unit.watchdogMs * 1000))
    launcher += 'export WATCHDOG_PID=$$; '
  }
  if (sockets.length > 0) {
    env['LISTEN_FDS'] = String(sockets.length)
    env['LISTEN_FDNAMES'] = sockets.map((socket) => socket.name).join(':')
    launcher += 'export LISTEN_PID=$$; '
  }
  return { env, launcher }
}
