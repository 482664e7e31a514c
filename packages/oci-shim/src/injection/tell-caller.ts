import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { DatagramSocket } from '@sdbridge/syscalls'
import { tell } from '../run/operator-log.js'

/**
 * Tells the caller of a hook why it fails. What hooks write to standard error podman reads and drops, so this goes to podman's own. Where that
 * is a socket, as the journal's, which nobody else can open, or a file, in which podman would write over it, to the system's log.
 */
export function tellCaller(message: string): void {
  if (!isPodman(process.ppid)) return tell(message)
  const text = message.replaceAll(/\s*\n\s*/g, ' ')
  if (!writesToParent(`sdbridge: ${text}\n`)) writeToLog(text)
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
