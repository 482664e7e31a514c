// @ts-check
import { writeFileSync } from 'node:fs'

/**
 * What became of one part of a run. `notHere` counts checks that an environment is known to be unable to pass.
 *
 * @typedef {{ passed: number, failed: number, skipped: number, notHere?: number }} Counts
 * @typedef {Counts & { part: string, seconds: number, remark: string }} Outcome
 */

/** Something that a part needs and this machine does not have. */
export class Missing extends Error {}

/** Runs parts one after the other, and remembers what became of them. */
export class Outcomes {
  /** @type {Outcome[]} */
  #all = []

  /**
   * @param {string} part
   * @param {() => Promise<Counts & { remark?: string } | void>} run without counts it is one thing that passed
   */
  async run(part, run) {
    say(`\n==> ${part}`)
    const start = performance.now()
    const outcome = await outcomeOf(run)
    const seconds = (performance.now() - start) / 1000
    this.#all.push({ ...outcome, part, seconds })
    if (outcome.remark !== '') say(outcome.remark)
  }

  /**
   * Prints a table, and one line for .ci/run; writes the sums to a file if one is named.
   *
   * @param {string | undefined} jsonFile
   * @returns {number} the exit code
   */
  conclude(jsonFile) {
    const width = Math.max(...this.#all.map(({ part }) => part.length))
    say('')
    for (const { part, passed, failed, skipped, notHere = 0, seconds, remark } of this.#all) {
      const counts = [
        `${String(passed).padStart(4)} passed`,
        failed > 0 ? `${failed} FAILED` : '',
        skipped > 0 ? `${skipped} SKIPPED` : '',
        notHere > 0 ? `${notHere} not here` : '',
      ]
      const note = failed + skipped > 0 || remark.startsWith('NOT CHECKED') ? firstLine(remark) : ''
      const text = counts.filter(Boolean).join(', ')
      say(`${part.padEnd(width)} ${text}, ${seconds.toFixed(1)} s${note && `: ${note}`}`)
    }
    const sum = (/** @type {keyof Counts} */ key) =>
      this.#all.reduce((total, outcome) => total + (outcome[key] ?? 0), 0)
    const counts = { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') }
    if (jsonFile !== undefined) writeFileSync(jsonFile, JSON.stringify(counts))
    say(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
    return counts.failed > 0 || counts.passed + counts.skipped === 0 ? 1 : 0
  }
}

/** @param {string} text */
export function say(text) {
  process.stdout.write(`${text}\n`)
}

/**
 * @param {() => Promise<Counts & { remark?: string } | void>} run
 * @returns {Promise<Counts & { remark: string }>}
 */
async function outcomeOf(run) {
  try {
    return { remark: '', ...((await run()) ?? { passed: 1, failed: 0, skipped: 0 }) }
  } catch (error) {
    const remark = error instanceof Error ? error.message : String(error)
    // Where everything is promised to be there, what is missing is a failure.
    const isSkip = error instanceof Missing && process.env['SDBRIDGE_REQUIRE_SYSTEM'] !== '1'
    return { passed: 0, failed: isSkip ? 0 : 1, skipped: isSkip ? 1 : 0, remark }
  }
}

/** @param {string} text */
function firstLine(text) {
  return text.split('\n')[0] ?? ''
}
