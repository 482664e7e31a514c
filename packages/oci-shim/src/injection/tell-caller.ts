import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { DatagramSocket } from '@sdbridge/syscalls'
import { tell } from '../run/operator-log.js'

/**
 * Tells the caller of a hook what is wrong. What hooks write to standard error runc shows if they fail; podman reads and drops it: so this goes to podman's
 * own. Where that is a socket, as the journal's, which nobody else can open, or a file, in which podman would write over it, to the system's log. There goes
 * also what nobody reads: that of a hook of crun's, which has it go nowhere, and is shown it beside, for CRI-O; and that of a hook that does not fail.
 */
export function tellCaller(message: string, { fails = true }: { fails?: boolean } = {}): void {
  const text = message.replaceAll(/\s*\n\s*/g, ' ')
  if (isPodman(process.ppid)) {
    if (!writesToParent(`sdbridge: ${text}\n`)) writeToLog(text)
    return
  }
  tell(message)
  if (fails && !goesNowhere()) return
  writeToLog(text)
  // Not to the standard error of a runtime that goes on: it is the container's.
  if (fails) writesToParent(`sdbridge: ${text}\n`)
}

function goesNowhere(): boolean {
  try {
    const { rdev } = fstatSync(2)
    return rdev === statSync('/dev/null').rdev
  } catch {
    return true
  }
}

function isPodman(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'podman\n'
  } catch {
    return false
  }
}

function writesToParent(line: string): boolean {
  const file = `/proc/${process.ppid}/fd/2`
  try {
    const stats = statSync(file)
    if (!stats.isFIFO() && !stats.isCharacterDevice()) return false
    const fd = openSync(file, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK)
    try {
      return writeSync(fd, line) > 0
    } finally {
      closeSync(fd)
    }
  } catch {
    return false
  }
}

// syslog(3): an error of a daemon.
function writeToLog(text: string): void {
  const socket = new DatagramSocket('unix')
  try {
    socket.connect({ family: 'unix', path: '/dev/log' })
    socket.trySend(Buffer.from(`<27>sdbridge[${process.pid}]: ${text}`))
  } catch {
    // Nobody hears anything; the exit status says that it failed.
  } finally {
    socket.close()
  }
}
