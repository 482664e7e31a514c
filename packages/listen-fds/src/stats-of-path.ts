import { type BigIntStats, type PathLike, statSync } from 'node:fs'

/**
 * What stat(2) says of a path, or undefined if nothing is there. Other errors are thrown.
 *
 * As big integers: numbers have no room for every inode.
 */
export function statsOfPath(path: PathLike): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** Whether both are of one file. */
export function isSameFile(stats: BigIntStats, other: BigIntStats): boolean {
  return stats.ino === other.ino && stats.dev === other.dev
}
