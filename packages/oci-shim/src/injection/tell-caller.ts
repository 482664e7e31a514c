import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs'
import { DatagramSocket } from '@sdbridge/syscalls'
import { tell } from '../run/operator-log.js'

/**
 * Tells the caller of a hook why it fails. What hooks write to standard error podman reads and drops, so this goes to podman's own; where that
 * is the journal's, which nobody else can open, to the system's log.
 */
export function tellCaller(message: string): void {
  if (!isPodman(process.ppid)) return tell(message)
  const text = message.replaceAll(/\s*\n\s*/g, ' ')
  try {
    writeToParent(`sdbridge: ${text}\n`)
  } catch {
    writeToLog(text)
  }
}

function isPodman(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'podman\n'
  } catch {
    return false
  }
}

function writeToParent(line: string): void {
  const { O_WRONLY, O_APPEND, O_NOCTTY, O_NONBLOCK } = constants
  const fd = openSync(`/proc/${process.ppid}/fd/2`, O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK)
  try {
    writeSync(fd, line)
  } finally {
    closeSync(fd)
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
