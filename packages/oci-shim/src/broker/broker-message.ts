import { isContainerName } from '../control/container-name.js'
import { isObject } from '../runtime/json-values.js'

/** What a runtime asks of a bridge, in one packet. */
export interface Question {
  readonly version: 1
  readonly id: string
}

/**
 * What a unit has the daemon keep for the runtime of its container, in one packet with the first of the descriptors; the others follow in packets of
 * their own, which are empty.
 */
export interface Deposit {
  readonly version: 1
  /** What the runtime will ask with. */
  readonly id: string
  /** The container, as the daemon has it registered. */
  readonly deposit: string
  /** What the payload is to know the descriptors by, in their order. */
  readonly names: readonly string[]
  /** Whose processes may ask, beside the unit's own. */
  readonly engineUnits: readonly string[]
}

/** What is answered to a deposit that is kept. */
export interface Receipt {
  readonly version: 1
  readonly kept: number
}

/** What it is told, in one packet with the first of the descriptors; the others follow in packets of their own, which are empty. */
export type Answer =
  | {
      readonly version: 1
      /** What the payload is to know the descriptors by, in their order. */
      readonly names: readonly string[]
    }
  | {
      readonly version: 1
      /** Why there are none. */
      readonly error: string
    }

/** How many descriptors the kernel takes in one message (SCM_MAX_FD of unix(7)). */
export const MOST_IN_PACKET = 253

/** Room for the names of as many descriptors as a unit can have in one variable of the environment. */
export const MOST_BYTES = 196_608

/** How many descriptors one unit may have kept. */
export const MOST_IN_DEPOSIT = 1024

export function encode(message: Question | Answer | Deposit | Receipt): Buffer {
  return Buffer.from(JSON.stringify(message))
}

/** @throws Error for anything but a question of this version. */
export function decodeQuestion(data: Buffer): Question {
  return questionOf(parse(data))
}

/** @throws Error for anything but a question or a deposit of this version. */
export function decodeQuestionOrDeposit(data: Buffer): Question | Deposit {
  const value = parse(data)
  if (value['deposit'] === undefined) return questionOf(value)
  const { deposit, engineUnits, names } = value
  if (typeof deposit !== 'string' || !isContainerName(deposit))
    throw unreadable('the name of a container')
  if (!isListOf(names, /^[\x20-\x39\x3b-\x7e]{0,255}$/, MOST_IN_DEPOSIT) || names.length === 0)
    throw unreadable(`1 to ${MOST_IN_DEPOSIT} names of descriptors`)
  if (!isListOf(engineUnits, /^[\w:.\\@-]{1,255}$/, MOST_ENGINES))
    throw unreadable(`the names of at most ${MOST_ENGINES} units`)
  return { ...questionOf(value), deposit, names, engineUnits }
}

/** @throws Error for anything but a receipt, and with the daemon's own words for a deposit that it does not keep. */
export function decodeReceipt(data: Buffer): Receipt {
  const { error, kept } = parse(data)
  if (typeof error === 'string') throw new Error(error)
  if (typeof kept !== 'number') throw unreadable('a receipt')
  return { version: 1, kept }
}

/** @throws Error for anything but an answer of this version. */
export function decodeAnswer(data: Buffer): Answer {
  const { error, names } = parse(data)
  if (typeof error === 'string') return { version: 1, error }
  const isList = Array.isArray(names) && names.every((each) => typeof each === 'string')
  if (!isList) throw unreadable('names')
  return { version: 1, names: names as string[] }
}

const MOST_ENGINES = 16

function questionOf({ id }: Record<string, unknown>): Question {
  if (typeof id !== 'string' || !/^[\da-f]{32}$/.test(id)) throw unreadable('an id')
  return { version: 1, id }
}

function isListOf(value: unknown, pattern: RegExp, most: number): value is string[] {
  if (!Array.isArray(value) || value.length > most) return false
  return value.every((each) => typeof each === 'string' && pattern.test(each))
}

function parse(data: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(data.toString())
  } catch {
    throw unreadable('JSON')
  }
  if (!isObject(value)) throw unreadable('an object')
  if (value['version'] !== 1)
    throw unreadable(`version 1, found ${JSON.stringify(value['version'])}`)
  return value
}

function unreadable(what: string): Error {
  return new Error(`a packet that cannot be read: expected ${what}`)
}
