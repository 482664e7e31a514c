import { closeSync, openSync, readSync } from 'node:fs'

/** How the programs begin that stand in for a low-level runtime and hand descriptors to containers that ask for them. */
export const LAUNCHER_MARK = '#!/bin/sh\n# sdbridge runtime launcher 1\n'

/** Whether a file is such a program. */
export function isLauncher(file: string): boolean {
  try {
    const fd = openSync(file, 'r')
    try {
      const start = Buffer.alloc(LAUNCHER_MARK.length)
      readSync(fd, start)
      return start.toString() === LAUNCHER_MARK
    } finally {
      closeSync(fd)
    }
  } catch {
    return false
  }
}
