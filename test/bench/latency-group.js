import { collect } from './collect.js'
import { C_RELAY, RELAYS } from './relays.js'

/** @typedef {import('./groups.js').Setting} Setting */

/** One second for so many messages that others send. */
const COUNT_PER_SECOND = 5000

/** @param {Setting} setting @param {number} rate messages a second @returns {import('./groups.js').Group} */
export function latencyGroup({ workshop, count }, rate) {
  const measured = Math.ceil((count / COUNT_PER_SECOND) * rate)
  /** @param {import('./relays.js').StartRelay} [startRelay] */
  const run = (startRelay) =>
    collect(workshop, startRelay, [0, measured], (path) => [
      'stamp',
      path,
      `${measured}`,
      `${rate}`,
    ])
  return {
    name: `latency-${rate}`,
    title: `Latency: ${rate.toLocaleString('en')} ${rate === 1 ? 'message' : 'messages'} a second`,
    method:
      `From send() of a payload until recvmsg() of the receiver returns, both in C, for ${measured.toLocaleString('en')} ${measured === 1 ? 'message' : 'messages'} ` +
      '`WATCHDOG=1` and `STATUS=…` of each run, without a warm-up: the median, the quartiles, and what one in a hundred exceeds, of all runs. “Added” is what a relay adds to the median of the first row. ' +
      '"CPU ns" is the relay’s.',
    unit: 'us',
    second: { title: C_RELAY, name: 'relay' },
    contestants: [
      { title: 'no relay', run: async () => ({ time: (await run()).times }) },
      ...RELAYS.map(([title, startRelay]) => ({
        title,
        run: async () => {
          const { times, cpu } = await run(startRelay)
          // Counted from the first message on until the last one.
          return { time: times, ...(measured > 1 && { cpu: cpu / (measured - 1) }) }
        },
      })),
    ],
  }
}
