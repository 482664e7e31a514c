import { quantile, spreadOf } from './statistics.js'

/** @typedef {import('./groups.js').Group} Group */
/** @typedef {import('./groups.js').Sample} Sample */

/**
 * What became of a contestant. `ratio` says how fast it is beside the first of its group: 1 is as fast, 0.5 takes
 * twice the time. Without samples it could not run here.
 *
 * @typedef {object} Result
 * @property {string} title
 * @property {import('./statistics.js').Spread} [time] In the group's unit.
 * @property {number} [ratio]
 * @property {number} [secondRatio] The same, beside the group's second.
 * @property {number} [added] Where the time of each message was measured: by how much the median is more than the first one's.
 * @property {number} [late] Where the time of each message was measured: what one in a hundred exceeds.
 * @property {number} [cpu] Nanoseconds of the processor, the median.
 * @property {number} [heap] Bytes in use, the median.
 * @property {number} [arrived] The part of what was sent that arrived.
 */

/** @typedef {Omit<Group, 'contestants'> & { results: Result[] }} Comparison */

/** How many of what samples are in make one of the unit. */
const SCALE = { ns: 1, us: 1e3, ms: 1e6, KiB: 1 }

/**
 * Lets the contestants of a group run in turns, so that a busy machine disturbs all of them alike.
 *
 * @param {Group} group
 * @param {number} rounds
 * @param {(text: string) => void} tell
 * @returns {Promise<Comparison>}
 */
export async function compare(group, rounds, tell) {
  const { contestants, ...about } = group
  /** @type {Map<string, Sample[]>} */
  const samples = new Map(contestants.map(({ title }) => [title, []]))
  for (let round = 1; round <= rounds; round++) {
    tell(`${group.name}: round ${round} of ${rounds}`)
    for (const { title, run } of contestants) {
      const sample = await run()
      if (sample !== undefined) samples.get(title)?.push(sample)
    }
  }
  const results = [...samples].map(([title, all]) => resultOf(title, all, group.unit))
  const first = results[0]?.time
  const second = results.find(({ title }) => title === group.second?.title)?.time
  for (const result of results) {
    if (result.time === undefined) continue
    if (first !== undefined) result.ratio = first.median / result.time.median
    if (first !== undefined && result.late !== undefined)
      result.added = result.time.median - first.median
    if (second !== undefined) result.secondRatio = second.median / result.time.median
  }
  return { ...about, results }
}

/** @param {string} title @param {Sample[]} samples @param {Group['unit']} unit @returns {Result} */
function resultOf(title, samples, unit) {
  if (samples.length === 0) return { title }
  const times = samples.flatMap(({ time }) => time).map((time) => time / SCALE[unit])
  const isOfMessages = samples.some(({ time }) => Array.isArray(time))
  const cpu = samples.map((sample) => sample.cpu).filter((each) => each !== undefined)
  const heap = samples.map((sample) => sample.heap).filter((each) => each !== undefined)
  const sent = sum(samples.map((sample) => sample.sent ?? 0))
  const arrived = sum(samples.map((sample) => sample.arrived ?? 0))
  return {
    title,
    time: spreadOf(times),
    ...(isOfMessages && { late: quantile(times, 0.99) }),
    ...(cpu.length > 0 && { cpu: spreadOf(cpu).median }),
    ...(heap.length > 0 && { heap: spreadOf(heap).median }),
    ...(sent > 0 && { arrived: arrived / sent }),
  }
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0)
}
