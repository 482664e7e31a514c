// @ts-check
import { parseArgs } from 'node:util'

/**
 * The options of the program that runs. `--help` prints `help`; words that mean nothing end it with a message.
 *
 * @template {NonNullable<import('node:util').ParseArgsConfig['options']>} T
 * @param {string} help
 * @param {T} options
 * @param {string[]} [args]
 * @returns {ReturnType<typeof parseArgs<{ options: T }>>['values']}
 */
export function readOptions(help, options, args = process.argv.slice(2)) {
  /** @type {Record<string, any>} */
  let values
  try {
    values = parseArgs({ args, options: { ...options, help: { type: 'boolean' } } }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
  if (values['help'] === true) {
    process.stdout.write(help)
    process.exit()
  }
  return /** @type {any} */ (values)
}

/**
 * The parts of a run that `--only` selects by a piece of their names.
 *
 * @template T
 * @param {Record<string, T>} parts
 * @param {string} only
 * @returns {[string, T][]}
 */
export function selectParts(parts, only) {
  const selected = Object.entries(parts).filter(([name]) => name.includes(only))
  if (selected.length > 0) return selected
  return refuse(
    `--only ${only}: none of these has it in its name: ${Object.keys(parts).join(', ')}.`,
  )
}

/**
 * @param {string} value
 * @param {string} option
 */
export function positiveInteger(value, option) {
  if (!/^[1-9]\d{0,8}$/.test(value)) refuse(`${option} ${value}: it must be a positive integer.`)
  return Number(value)
}

/** A mistake of who runs this, and not of the program: without a stack. @param {string} message @returns {never} */
export function refuse(message) {
  process.stderr.write(`${message}\nTry --help\n`)
  process.exit(2)
}
