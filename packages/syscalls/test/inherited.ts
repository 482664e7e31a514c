import { onTestFinished } from 'vitest'
import { closeFd, isCloexec, isNonBlocking, setCloexec, setNonBlocking } from '../src/index.js'
import { native } from '../src/native.js'
import { check } from '../src/system-error.js'

/** An open socket as another program leaves it to this one: it blocks, stays open at exec, names no senders, and is nobody's yet. */
export function inheritedSocket(domain: number, type: number, protocol = 0): number {
  return inherited(check(native().socket(domain, type, protocol, 0), 'socket'))
}

/** The same of a descriptor; it closes with the test unless something takes it over. */
export function inherited(fd: number): number {
  setCloexec(fd, false)
  setNonBlocking(fd, false)
  onTestFinished(() => {
    if (isInherited(fd)) closeFd(fd)
  })
  return fd
}

/** What {@link inherited} has set, and adoption changes. */
export function flagsOf(fd: number): { cloexec: boolean; nonBlocking: boolean } {
  return { cloexec: isCloexec(fd), nonBlocking: isNonBlocking(fd) }
}

// What was taken over is close-on-exec, and so is whatever else may have the number by now. That it is still open would say
// neither: a thread may be about to close it.
function isInherited(fd: number): boolean {
  try {
    return !isCloexec(fd)
  } catch {
    return false
  }
}
