import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from 'node:fs'
import { DatagramSocket } from '@sdbridge/syscalls'
import { tell } from '../run/operator-log.js'

/**
 * Tells the caller of a hook why it fails. podman gives its hooks no standard error, so that goes to podman's own; where that is the journal's, which
 * cannot be opened again, by the system's log.
 */
export function tellCaller(message: string): void {
  if (!isNull(2)) return tell(message)
  const line = `sdbridge: ${message.replaceAll(/\s*\n\s*/g, ' ')}\n`
  try {
    writeToParent(line)
  } catch {
    writeToLog(line)
  }
}

function isNull(fd: number): boolean {
  try {
    return fstatSync(fd).rdev === statSync('/dev/null').rdev
  } catch {
    return true
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
function writeToLog(line: string): void {
  const socket = new DatagramSocket('unix')
  try {
    socket.connect({ family: 'unix', path: '/dev/log' })
    socket.trySend(Buffer.from(`<27>sdbridge[${process.pid}]: ${line.replace('sdbridge: ', '')}`))
  } catch {
    // Nobody hears anything; the exit status says that it failed.
  } finally {
    socket.close()
  }
}
