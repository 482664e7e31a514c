import { constants, readFileSync } from 'node:fs'

/** What a descriptor was opened for. */
export interface FdAccess {
  readable: boolean
  writable: boolean
}

const ACCESS_MODE = 3

/**
 * Finds out what an open descriptor was opened for: the access mode that fcntl(2) F_GETFL tells, from proc_pid_fdinfo(5), so that it
 * needs no compiled binary.
 *
 * @throws Error `ENOENT` if the descriptor is not open, or without /proc.
 */
export function fdAccess(fd: number): FdAccess {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
  const mode = Number.parseInt(flags?.[1] ?? '', 8) & ACCESS_MODE
  return { readable: mode !== constants.O_WRONLY, writable: mode !== constants.O_RDONLY }
}
