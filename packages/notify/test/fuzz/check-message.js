// @ts-check
import { isDeepStrictEqual } from 'node:util'
import { readMessage } from './reference-parser.js'

/**
 * The functions under test, of a built package.
 *
 * @typedef {object} Package
 * @property {typeof import('../../dist/parse-message.js').parseMessage} parseMessage
 * @property {typeof import('../../dist/encode-message.js').encodeMessage} encodeMessage
 * @property {typeof import('../../dist/receiver/index.js').NotifyReceiver} NotifyReceiver
 */

/**
 * What is wrong with the reading of a message; undefined if nothing is.
 *
 * @param {Package} tested
 * @param {Buffer} message
 * @returns {string | undefined}
 */
export function checkMessage({ parseMessage, encodeMessage }, message) {
  const expected = readMessage(message)
  let parsed
  try {
    parsed = parseMessage(message)
  } catch (error) {
    return `it throws ${String(error)}`
  }
  if ('rejected' in parsed || 'rejected' in expected) {
    return isDeepStrictEqual(parsed, expected) ? undefined : differ('reading', parsed, expected)
  }
  if (!isDeepStrictEqual(parsed.lines, expected.lines)) {
    return differ('lines', parsed.lines, expected.lines)
  }
  const { extra, ...others } = parsed.assignments
  const assignments = { ...others, ...(extra !== undefined && { extra: { ...extra } }) }
  if (!isDeepStrictEqual(assignments, expected.assignments)) {
    return differ('assignments', assignments, expected.assignments)
  }
  if (extra !== undefined && Object.getPrototypeOf(extra) !== null) return 'extra has a prototype'
  for (const line of parsed.unknown) {
    if (!parsed.lines.includes(line)) return `unknown has ${JSON.stringify(line)}, which is no line`
  }
  return checkEncoding({ parseMessage, encodeMessage }, message, parsed.assignments)
}

/**
 * What was read can be said again, and is read as the same.
 *
 * @param {Pick<Package, 'parseMessage' | 'encodeMessage'>} tested
 * @param {Buffer} message
 * @param {import('../../dist/assignments.js').ParsedAssignments} assignments
 */
function checkEncoding({ parseMessage, encodeMessage }, message, assignments) {
  const keys = Object.keys(assignments)
  const usesFds = [assignments.fdStore, assignments.mainPidFd, assignments.barrier].filter(Boolean)
  // These exclude each other, and the descriptors decide.
  if (keys.length === 0 || usesFds.length > 1 || (assignments.barrier && keys.length > 1))
    return undefined

  let encoded
  try {
    encoded = encodeMessage(assignments, usesFds.length)
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error)
    // A line break or a backslash that was escaped has no safe form.
    if (code === 'ERR_NOTIFY_VALUE_INVALID' && message.includes('\\')) return undefined
    // A byte that is no character becomes one of three bytes; a backslash becomes two.
    if (code === 'ERR_NOTIFY_MESSAGE_TOO_LONG' && message.length * 3 > 4096) return undefined
    return `what was read cannot be encoded: ${String(error)}`
  }
  if (encoded.length > 4096) return `it is encoded in ${encoded.length} bytes`
  const again = parseMessage(encoded)
  if ('rejected' in again)
    return `what was read is encoded as ${JSON.stringify(encoded.toString())}`
  if (again.problems.length > 0) return `encoded anew it has problems: ${show(again.problems)}`
  const { status, ...sent } = assignments
  const { status: arrived, ...received } = again.assignments
  if (!isDeepStrictEqual(received, sent)) return differ('assignments, encoded anew', received, sent)
  if ((status === undefined) !== (arrived === undefined)) return 'the status came or went'
  // Only what has a meaning of its own changes, once.
  const isPlain = !/[\p{Cc}\\]/u.test(status ?? '') && encoded.length < 4000
  if (isPlain && arrived !== status) return differ('status, encoded anew', arrived, status)
  const third = encodeMessage(again.assignments, usesFds.length)
  return third.equals(encoded) ? undefined : 'encoded a third time, it changes again'
}

/**
 * @param {string} what
 * @param {unknown} found
 * @param {unknown} expected
 */
export function differ(what, found, expected) {
  return `${what}: found ${show(found)}, expected ${show(expected)}`
}

/** @param {unknown} value */
function show(value) {
  const text = JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}n` : each))
  return text === undefined || text.length <= 500 ? text : `${text.slice(0, 500)}…`
}
