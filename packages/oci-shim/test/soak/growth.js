// @ts-check

/**
 * What a process has, after its garbage was collected. Memory in KiB.
 *
 * @typedef {object} Measurement
 * @property {number} descriptors
 * @property {number} heap Of JavaScript.
 * @property {number} outside What its objects have outside of the heap: buffers.
 * @property {number} resident
 */

/**
 * By how much the last part of a run may be above the part after the warm-up.
 *
 * Descriptors are exact. The heap is what the collector finds alive, but for code that is compiled late and for caches that fill; a leak of one
 * small object a message is 50 MiB in a million. Pages that were freed stay with the allocators until somebody needs them, so resident memory
 * moves by some MiB from one look to the next; a leak of 10 bytes a message is seen.
 *
 * @type {Measurement}
 */
const ALLOWANCE = { descriptors: 0, heap: 512, outside: 512, resident: 8 * 1024 }

/** Measures nothing before the pools are filled and the code is compiled. */
const WARM_UP = 0.25
/** The part of the rest that is taken together at each end: one look may be unlucky. */
const PART = 0.25

const COLUMNS = /** @type {(keyof Measurement)[]} */ (Object.keys(ALLOWANCE))

/** Collects measurements of one process, prints each, and judges them at the end. */
export class Growth {
  /** @type {Measurement[]} */
  #measurements = []
  #title

  /** @param {string} title */
  constructor(title) {
    this.#title = title
  }

  /** @param {Measurement} measurement */
  add(measurement) {
    if (this.#measurements.length === 0) {
      print(`\n${this.#title}\n${row('round', COLUMNS)}`)
    }
    this.#measurements.push(measurement)
    print(
      row(
        `${this.#measurements.length}`,
        COLUMNS.map((column) => format(measurement[column])),
      ),
    )
  }

  /** Whether nothing has grown. */
  report() {
    const rest = this.#measurements.slice(Math.floor(WARM_UP * this.#measurements.length))
    const size = Math.max(1, Math.floor(PART * rest.length))
    print(
      `\n${this.#title}: the median of the first ${size} rounds after the warm-up, and of the last`,
    )
    let isFlat = true
    for (const column of COLUMNS) {
      const first = median(rest.slice(0, size).map((each) => each[column]))
      const last = median(rest.slice(-size).map((each) => each[column]))
      const hasGrown = last - first > ALLOWANCE[column]
      isFlat &&= !hasGrown
      print(
        `  ${column.padEnd(12)}${format(first).padStart(10)} → ${format(last).padStart(10)}` +
          `   at most ${format(ALLOWANCE[column])} more${hasGrown ? '   FAILED: it grows' : ''}`,
      )
    }
    return isFlat
  }
}

/** @param {number[]} numbers */
function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/**
 * @param {string} name
 * @param {string[]} cells
 */
function row(name, cells) {
  return name.padEnd(8) + cells.map((cell) => cell.padStart(14)).join('')
}

/** @param {number} count */
function format(count) {
  return Math.round(count).toLocaleString('en')
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`)
}
