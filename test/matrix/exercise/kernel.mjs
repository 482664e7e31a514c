import { release } from 'node:os'

/** Whether this kernel is `major.minor` or newer. */
export function kernelIsFrom(major, minor) {
  const [ownMajor, ownMinor] = release().split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}
