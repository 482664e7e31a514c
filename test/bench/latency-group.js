import { collect } from './collect.js'
import { C_RELAY, RELAYS } from './relays.js'

/** @typedef {import('./groups.js').Setting} Setting */

/** One second for so many messages that others send. */
const COUNT_PER_SECOND = 5000

const METHOD =
  'From send() of a payload until recvmsg() of the receiver returns, both in C, for `WATCHDOG=1` with a status: the median, the quartiles, and what one in a hundred ' +
  'exceeds, of all runs together. "Added" is what a relay adds to the median of the first row, and "CPU ns" the relay’s. What `sdbridge run` adds more than the relay in C is, about a third, that the thread ' +
  'which waits has to wake the event loop ([why](decisions/0003-epoll-thread.md)); the rest is Node on its way to JavaScript, and the checks, both of which are the slower the less ' +
  'they run: between two messages others take the processor’s caches, and what seldom runs is not compiled.'

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
  const messages = `${measured.toLocaleString('en')} ${measured === 1 ? 'message' : 'messages'}`
  const of = `Of ${messages} in each run, without a warm-up.`
  return {
    name: `latency-${rate}`,
    title: `Latency: ${rate.toLocaleString('en')} ${rate === 1 ? 'message' : 'messages'} a second`,
    method: rate === 1 ? `${METHOD} ${of}` : `The same. ${of}`,
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
