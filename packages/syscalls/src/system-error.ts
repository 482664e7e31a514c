import { getSystemErrorMap } from 'node:util'

/** An error of a system call, in the shape of Node's own: match on `code`, such as `'ECONNREFUSED'`. */
export interface SystemError extends Error {
  /** The symbolic name, such as `'ENOENT'`. */
  code: string
  /** The negative number, as in Node's errors. */
  errno: number
  /** The system call, such as `'sendmsg'`. */
  syscall: string
  /** The socket address that the call was about, if any. */
  address?: string
}

/** "Not now": the queue is full, or empty; the one error that callers expect. */
export const EAGAIN = -11

/**
 * Hands back a result that is >= 0 and throws the error that a negative one stands for.
 *
 * @param result What a native function returned.
 * @param syscall The system call that it made.
 * @param address What it was made on, for the message.
 */
export function check(result: number, syscall: string, address?: string): number {
  if (result < 0) throw systemError(result, syscall, address)
  return result
}

/** Makes the error for `-errno`. */
export function systemError(errno: number, syscall: string, address?: string): SystemError {
  const [code, reason] = getSystemErrorMap().get(errno) ?? unknownError(errno)
  const subject = address === undefined ? '' : ` '${address}'`
  const error = new Error(`${code}: ${reason}, ${syscall}${subject}`)
  return Object.assign(error, { code, errno, syscall, ...(address !== undefined && { address }) })
}

/** Makes the error for an argument that no system call could be made with. */
export function invalid(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}

// libuv, where Node has its names from, does not know every error of Linux; these can reach us.
const UNKNOWN_TO_LIBUV = new Map<number, [string, string]>([
  [-8, ['ENOEXEC', 'exec format error']],
  [-80, ['ELIBBAD', 'accessing a corrupted shared library']],
  [-109, ['ETOOMANYREFS', 'too many descriptors in flight']],
])

function unknownError(errno: number): [string, string] {
  return UNKNOWN_TO_LIBUV.get(errno) ?? [`E${-errno}`, `system error ${-errno}`]
}
