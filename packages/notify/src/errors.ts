import { inspect } from 'node:util'

/** Why a call failed; a code stays the same within a major version, the message does not. */
export type NotifyErrorCode =
  | 'ERR_NOTIFY_INVALID_ADDRESS'
  | 'ERR_NOTIFY_VALUE_INVALID'
  | 'ERR_NOTIFY_MESSAGE_TOO_LONG'
  | 'ERR_NOTIFY_SEND_FAILED'
  | 'ERR_NOTIFY_UNSUPPORTED'
  | 'ERR_NOTIFY_QUEUE_FULL'
  | 'ERR_NOTIFY_TIMEOUT'
  | 'ERR_NOTIFY_NO_DESCRIPTOR'
  | 'ERR_NOTIFY_DUPLICATE_FD'
  | 'ERR_NOTIFY_FDSTORE_FULL'
  | 'ERR_NOTIFY_FDSTORE_DISABLED'
  | 'ERR_NOTIFY_WATCHDOG_ENVIRONMENT'
  | 'ERR_NOTIFY_MAIN_THREAD_ONLY'

/** What a {@link NotifyError} carries beside its code and its message. */
export interface NotifyErrorData {
  /** The error that caused this one, as Node's own system errors. */
  readonly cause?: unknown
  /** The wire key that was refused, such as `FDNAME`. */
  readonly assignment?: string
  /** The value that was refused, as it was given. */
  readonly value?: unknown
  /** The value of `$NOTIFY_SOCKET`. */
  readonly address?: string
}

/**
 * The notification could not be made or could not be sent.
 *
 * Match on `code`, not with `instanceof`: two copies of this package may be loaded in one program.
 * Wrong argument types are a plain TypeError with Node's `ERR_INVALID_ARG_TYPE` or
 * `ERR_INVALID_ARG_VALUE`: they are mistakes in the program, and not worth catching.
 */
export class NotifyError extends Error implements NotifyErrorData {
  static {
    // On the prototype, so that the name is in the stack and not among the data.
    this.prototype.name = 'NotifyError'
  }

  readonly code: NotifyErrorCode
  declare readonly assignment?: string
  declare readonly value?: unknown
  declare readonly address?: string

  constructor(code: NotifyErrorCode, message: string, data: NotifyErrorData = {}) {
    const { cause, ...details } = data
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    Object.assign(this, details)
  }
}

/** An argument of the wrong JavaScript type, in the shape of Node's own errors. */
export function invalidArgType(name: string, expected: string, received: unknown): TypeError {
  return argumentError('ERR_INVALID_ARG_TYPE', name, expected, received)
}

/** An argument of the right JavaScript type that is none of the few values that are declared. */
export function invalidArgValue(name: string, expected: string, received: unknown): TypeError {
  return argumentError('ERR_INVALID_ARG_VALUE', name, expected, received)
}

/** The received value for an error message: short, on one line, with its type. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'object') return `an instance of ${value.constructor?.name ?? 'Object'}`
  if (typeof value === 'function') return `function ${value.name}`
  const shown = inspect(value, { breakLength: Infinity, maxStringLength: 64 })
  return typeof value === 'string' ? shown : `type ${typeof value} (${shown})`
}

function argumentError(code: string, name: string, expected: string, received: unknown): TypeError {
  const message = `"${name}" must be ${expected}, received ${describe(received)}`
  return Object.assign(new TypeError(message), { code })
}
