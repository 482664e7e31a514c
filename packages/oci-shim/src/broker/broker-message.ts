import { isObject } from '../runtime/json-values.js'

/** What a runtime asks of a bridge, in one packet. */
export interface Question {
  readonly version: 1
  readonly id: string
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

export function encode(message: Question | Answer): Buffer {
  return Buffer.from(JSON.stringify(message))
}

/** @throws Error for anything but a question of this version. */
export function decodeQuestion(data: Buffer): Question {
  const value = parse(data)
  const { id } = value
  if (typeof id !== 'string' || !/^[\da-f]{32}$/.test(id)) throw unreadable('an id')
  return { version: 1, id }
}

/** @throws Error for anything but an answer of this version. */
export function decodeAnswer(data: Buffer): Answer {
  const { error, names } = parse(data)
  if (typeof error === 'string') return { version: 1, error }
  const isList = Array.isArray(names) && names.every((each) => typeof each === 'string')
  if (!isList) throw unreadable('names')
  return { version: 1, names: names as string[] }
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
