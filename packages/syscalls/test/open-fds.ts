import { fstatSync, readdirSync } from 'node:fs'

/** The descriptors that this process has open, lowest first. */
export function openFds(): number[] {
  const listed = readdirSync('/proc/self/fd').map(Number)
  // The one of the listing itself is closed by now.
  return listed.filter((fd) => isOpen(fd)).toSorted((one, other) => one - other)
}

export function isOpen(fd: number): boolean {
  try {
    fstatSync(fd)
    return true
  } catch {
    return false
  }
}
