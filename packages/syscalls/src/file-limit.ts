import { native } from './native.js'
import { check, invalid } from './system-error.js'

/** How many descriptors a process may have open (RLIMIT_NOFILE, getrlimit(2)); `Infinity` for no limit. */
export interface FileLimit {
  /** What is enforced. Node raises its own to `hard` at start, and its children inherit that. */
  soft: number
  /** How far `soft` may be raised; only root can raise this one. */
  hard: number
}

const RLIM_INFINITY = 2n ** 64n - 1n

/** This process' limit. */
export function getFileLimit(): FileLimit {
  const limits = new BigUint64Array(2)
  check(native().getNofile(limits), 'prlimit')
  return { soft: fromKernel(limits[0]!), hard: fromKernel(limits[1]!) }
}

/**
 * Sets this process' limit. Descriptors beyond it stay open.
 *
 * @throws SystemError `EPERM` for a higher hard limit without privilege, `EINVAL` if `soft` exceeds `hard`.
 */
export function setFileLimit(limit: FileLimit): void {
  check(native().setNofile(fileLimits(limit)), 'prlimit')
}

/** The kernel's form of a limit. */
export function fileLimits({ soft, hard }: FileLimit): BigUint64Array {
  return BigUint64Array.of(toKernel(soft), toKernel(hard))
}

/**
 * Calls `start`, which starts a program, under another soft limit; the program inherits it. The hard limit caps it.
 * Meanwhile other threads of this process may find that they can open nothing, so `start` must be short and synchronous,
 * as `spawn` of node:child_process is.
 *
 * @returns What `start` returns.
 */
export function withSoftFileLimit<T>(soft: number, start: () => T): T {
  const before = getFileLimit()
  setFileLimit({ soft: Math.min(soft, before.hard), hard: before.hard })
  try {
    return start()
  } finally {
    setFileLimit(before)
  }
}

function fromKernel(limit: bigint): number {
  return limit === RLIM_INFINITY ? Infinity : Number(limit)
}

function toKernel(limit: number): bigint {
  if (limit === Infinity) return RLIM_INFINITY
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw invalid(`not a limit of descriptors: ${limit}`)
  return BigInt(limit)
}
