// A readable timeline: what was done, what was seen, and whether it is what was promised.
const began = performance.now()
let failures = 0

/** @param {string} text */
export function title(text) {
  process.stdout.write(`\n${text}\n${'-'.repeat(text.length)}\n`)
}

/** @param {string} text */
export function line(text) {
  const seconds = ((performance.now() - began) / 1000).toFixed(2).padStart(6)
  process.stdout.write(`${seconds}s   ${text}\n`)
}

/**
 * Says that something was seen, or that it was not, which makes the demo fail.
 *
 * @param {boolean} seen
 * @param {string} text
 */
export function check(seen, text) {
  if (!seen) failures++
  line(`${seen ? 'ok  ' : 'FAIL'}  ${text}`)
}

/** @param {string} text */
export function quote(text) {
  for (const each of text.trimEnd().split('\n')) process.stdout.write(`          | ${each}\n`)
}

/** The number of promises that were not kept. */
export function failureCount() {
  return failures
}
