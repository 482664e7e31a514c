import { fstatSync } from 'node:fs'

/**
 * Throws the system's error `EBADF` for a descriptor that is not open. What is opened to send it could get its number, and be sent in its
 * place.
 *
 * With `bigint`, because otherwise fstat(2) of a pipe or a socket leaves Node unable to resolve the next symbolic link (see
 * diagnostics.ts).
 */
export function checkOpen(fd: number): void {
  fstatSync(fd, { bigint: true })
}
