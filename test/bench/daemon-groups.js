import { setTimeout as delay } from 'node:timers/promises'
import { bridgeWords } from './bridge.js'
import { collect } from './collect.js'
import { mostContainers, startDaemon } from './daemon.js'
import { MANY, measureMemory, memoryOf } from './memory-group.js'
import { C_RELAY, RELAYS } from './relays.js'

/** @typedef {import('./groups.js').Setting} Setting */
/** @typedef {import('./groups.js').Group} Group */

/** So many containers, and what their sockets are in. */
const SIZES = [1, 100, 1000, mostContainers(10_000)]
/** More are not stored: their names would not fit into the daemon's environment. */
const MOST_STORED = 4096

/** @param {Setting} setting @returns {Group} */
export function daemonMemoryGroup({ workshop, settleMs }) {
  /** @type {Promise<Map<number, number>> | undefined} */
  let measured
  return {
    name: 'daemon-memory',
    title: 'Memory: one daemon for many containers',
    method:
      `The resident set of the daemon (Rss of /proc/PID/smaps_rollup), beside what one more \`sdbridge run\` costs where ${MANY} run. "Each further one" is what it ` +
      `has more than with one container, for each of the others. Nothing has happened for ${settleMs / 1000} seconds. Up to 1,000, their sockets are stored ` +
      'with the service manager, whose memory is not counted, nor is the kernel’s for a socket and a pidfd each.',
    unit: 'KiB',
    contestants: [
      {
        title: `sdbridge run, one of ${MANY}`,
        run: () => {
          // All rows of a round are measured at once: most of it is waiting.
          measured = memoryBySize(workshop, settleMs)
          return measureMemory(workshop, () => bridgeWords(workshop), MANY, 'Pss', settleMs)
        },
      },
      ...SIZES.map((count) => ({
        title: titleOf(count),
        run: async () => ({ time: (await measured)?.get(count) ?? Number.NaN }),
      })),
      // With fewer, it is less than what two starts differ by.
      ...SIZES.slice(2).map((count) => ({
        title: `each further one of ${count.toLocaleString('en')}`,
        run: async () => {
          const all = await measured
          const [one = Number.NaN, many = Number.NaN] = [all?.get(1), all?.get(count)]
          return { time: (many - one) / (count - 1) }
        },
      })),
    ],
  }
}

/** @param {Setting} setting @returns {Group} */
export function daemonForwardGroup({ workshop, count }) {
  const before = Math.floor(count / 2)
  return {
    name: 'daemon-forward',
    title: 'Forwarding: the sockets of many containers',
    method:
      'A program in C sends to all of them in turn, as fast as there is room in their queues. Beside the daemon, the relay in C and `sdbridge run`, with one socket ' +
      'each. The first message of each, whose status the daemon writes down, is not counted. The daemon has a message in the container’s queue until the service manager has it, and looks whether the unit’s main process is alive before each.',
    unit: 'ns',
    second: { title: titleOf(1), name: 'one socket' },
    contestants: [
      ...RELAYS.filter(([title]) => title === C_RELAY || title === 'sdbridge run').map(
        ([title, startRelay]) => ({ title, run: () => forwarded(startRelay, 1) }),
      ),
      ...SIZES.map((size) => ({
        title: titleOf(size),
        run: () => forwarded(ofDaemon(size), size),
      })),
    ],
  }

  /** @param {import('./relays.js').StartRelay} startRelay @param {number} sockets */
  async function forwarded(startRelay, sockets) {
    const { wall, cpu } = await collect(workshop, startRelay, [sockets + before, count], (path) => [
      'spread',
      path,
      `${count}`,
      `${sockets}`,
    ])
    return { time: wall / count, cpu: cpu / count }
  }
}

/** @param {number} count */
function titleOf(count) {
  const containers = count === 1 ? '1 container' : `${count.toLocaleString('en')} containers`
  return `sdbridge daemon, ${containers}`
}

/** @param {number} count @returns {import('./relays.js').StartRelay} */
function ofDaemon(count) {
  return async (workshop, upstream) => {
    const { running, pattern } = await startDaemon(workshop, upstream, count)
    return { path: pattern, stop: () => running.stop().end() }
  }
}

/** @param {Setting['workshop']} workshop @param {number} settleMs */
async function memoryBySize(workshop, settleMs) {
  const path = workshop.newSocketPath()
  const sink = await workshop.start(workshop.peer, ['sink', path, '0']).ready()
  const daemons = await Promise.all(
    SIZES.map((count) => startDaemon(workshop, path, count, { hasStore: count <= MOST_STORED })),
  )
  await delay(settleMs)
  /** @type {[count: number, memory: number][]} */
  const memory = daemons.map(({ running }, index) => [
    SIZES[index] ?? 0,
    memoryOf(running.pid, 'Rss'),
  ])
  await Promise.all(daemons.map(({ running }) => running.stop().end()))
  await sink.stop().end()
  return new Map(memory)
}
