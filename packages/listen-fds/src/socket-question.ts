import { describeSocket, SOCKET_TYPES } from '@sdbridge/syscalls'
import { argumentError } from './argument-error.js'
import { fdStats } from './fd-stats.js'
import { libsystemdError } from './libsystemd-error.js'

/** The type of a socket, as socket(2) has it; a number where there is no name for it. */
export type SocketType = 'stream' | 'dgram' | 'seqpacket' | 'raw' | number

/** What all of the functions ask of a socket. */
export interface SocketQuestion {
  /** The type that it must be of. Default, and 0: any. */
  type?: SocketType
  /** Whether it must listen (true) or must not (false). Default: either. */
  listening?: boolean
}

/**
 * Whether a descriptor is a socket of this type that listens or does not. Only a question about type or listening needs
 * the addon.
 *
 * @param caller The function of libsystemd, for errors.
 */
export function isSocketOf(fd: number, question: SocketQuestion, caller: string): boolean {
  const { listening } = question
  const type = typeNumber(question.type, caller)
  if (!fdStats(fd).isSocket()) return false
  if (type === 0 && listening === undefined) return true

  const socket = describeSocket(fd)
  if (socket === undefined) return false
  if (type !== 0 && type !== typeNumber(socket.type, caller)) return false
  return listening === undefined || listening === socket.listening
}

const TYPES: Readonly<Record<string, number>> = SOCKET_TYPES

function typeNumber(type: SocketType = 0, caller: string): number {
  const number = Object.hasOwn(TYPES, type) ? TYPES[type] : type
  if (typeof number !== 'number' || !Number.isInteger(number)) {
    throw argumentError('type', `${Object.keys(TYPES).join(', ')} or a number`, type)
  }
  if (number < 0) throw libsystemdError('EINVAL', caller, `type ${number}`)
  return number
}
