import { constants } from 'node:os'
import { type SystemError, systemError } from '@sdbridge/syscalls'

/**
 * The error for what libsystemd itself refuses, before any system call.
 *
 * @param caller Its function.
 * @param subject What it refuses.
 */
export function libsystemdError(
  code: 'EBADF' | 'EINVAL',
  caller: string,
  subject: string,
): SystemError {
  return systemError(-constants.errno[code], caller, subject)
}

/** Refuses a negative descriptor as libsystemd does: with EBADF, where Node would say ERR_OUT_OF_RANGE. */
export function refuseNegativeFd(fd: number, caller: string): void {
  if (Number.isInteger(fd) && fd < 0) throw libsystemdError('EBADF', caller, `fd ${fd}`)
}
