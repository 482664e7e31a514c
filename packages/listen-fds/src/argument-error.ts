import { inspect } from 'node:util'

/** The error for an argument that no call could be made with: a mistake in the program, in Node's own shape. */
export function argumentError(name: string, expected: string, received: unknown): TypeError {
  const message = `${name} must be ${expected}, not ${inspect(received, { depth: 0, maxStringLength: 100 })}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}
