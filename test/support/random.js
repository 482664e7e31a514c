// @ts-check

/** mulberry32: the same numbers for the same seed, so that a failure can be repeated. */
export class Random {
  #state

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed
  }

  /** @returns {number} at least 0 and below 1 */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /**
   * @param {number} limit
   * @returns {number} a whole number below it
   */
  below(limit) {
    return Math.floor(this.next() * limit)
  }

  /** @param {number} probability */
  chance(probability) {
    return this.next() < probability
  }

  /**
   * @template T
   * @param {readonly T[]} list
   * @returns {T}
   */
  pick(list) {
    return /** @type {T} */ (list[this.below(list.length)])
  }

  /**
   * @template T
   * @param {number} most
   * @param {() => T} make
   * @returns {T[]}
   */
  upTo(most, make) {
    return Array.from({ length: this.below(most + 1) }, make)
  }
}
