import type { FdKind } from './fd-kind.js'

/**
 * Why the inherited descriptors could not be handed out. Codes are stable within a major version, messages
 * are not: match on `code`.
 *
 * - `ERR_LISTEN_FDS_INVALID_ENVIRONMENT`: a `LISTEN_` variable does not say what sd_listen_fds(3) lets it
 *   say (libsystemd: -EINVAL, -ERANGE).
 * - `ERR_LISTEN_FDS_BAD_DESCRIPTOR`: a descriptor that was announced is not there (libsystemd: -EBADF).
 * - `ERR_LISTEN_FDS_WRONG_KIND`: a descriptor is not what `expect` was told, or not what the server can use.
 * - `ERR_LISTEN_FDS_NOT_PASSED`: there is no descriptor of that name, and nothing to fall back on.
 * - `ERR_LISTEN_FDS_HANDED_OVER`: a descriptor is closed, or belongs to something else by now.
 */
export type ListenFdsErrorCode =
  | 'ERR_LISTEN_FDS_INVALID_ENVIRONMENT'
  | 'ERR_LISTEN_FDS_BAD_DESCRIPTOR'
  | 'ERR_LISTEN_FDS_WRONG_KIND'
  | 'ERR_LISTEN_FDS_NOT_PASSED'
  | 'ERR_LISTEN_FDS_HANDED_OVER'

/** What an error is about; which fields there are follows from its code. */
export interface ListenFdsErrorDetails {
  /** The environment variable that is wrong: with `ERR_LISTEN_FDS_INVALID_ENVIRONMENT`. */
  variable?: string
  /** That variable's value. */
  value?: string
  /** The descriptor's number: with the codes that are about one. */
  fd?: number
  /** The descriptor's name, or the one that was asked for. */
  fdName?: string
  /** The kinds that would have done: with `ERR_LISTEN_FDS_WRONG_KIND`. */
  expected?: readonly FdKind[]
  /** The kind that the descriptor is of. */
  found?: FdKind
  /** The error of the system call that failed, if one did. */
  cause?: unknown
}

/** The error that this package throws. */
export class ListenFdsError extends Error implements ListenFdsErrorDetails {
  override readonly name = 'ListenFdsError'
  readonly code: ListenFdsErrorCode
  declare readonly variable?: string
  declare readonly value?: string
  declare readonly fd?: number
  declare readonly fdName?: string
  declare readonly expected?: readonly FdKind[]
  declare readonly found?: FdKind

  constructor(code: ListenFdsErrorCode, message: string, details: ListenFdsErrorDetails = {}) {
    const { cause, ...data } = details
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    Object.assign(this, data)
  }
}
