import { type BigIntStats, fstatSync } from 'node:fs'

/**
 * What fstat(2) says of a descriptor.
 *
 * As big integers, because of a fault in Node (seen in 20 and 22): fs.realpathSync() takes what the last plain stat call of anybody has left for
 * its own, and after one of a pipe or a socket the next require() through a symbolic link, as pnpm makes them, fails.
 */
export function fdStats(fd: number): BigIntStats {
  return fstatSync(fd, { bigint: true })
}

/** What tells an open descriptor from a later one with the same number; `undefined` if it is not open. */
export function fdIdentity(fd: number): string | undefined {
  try {
    const { dev, ino } = fdStats(fd)
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}
