import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { bridgeWords, startNode } from './bridge.js'

/** @typedef {import('./groups.js').Setting} Setting */

const IDLE = fileURLToPath(new URL('contestants/idle.js', import.meta.url))
/** Pages that several processes share are counted in parts: one of many shows what one more costs. */
const MANY = 8
/** What a program does at its start is over then, and its memory is what it keeps. */
const SETTLE_MS = 3000

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function memoryGroup({ workshop }) {
  const node = () => [IDLE]
  const bridge = () => bridgeWords(workshop)
  return {
    name: 'memory',
    title: 'Memory: a bridge between a container and systemd',
    method:
      '`sdbridge run` after the `READY=1` of its payload, which is another process and not counted; nothing happens. "One of ' +
      `${MANY}" is the proportional set size (Pss of /proc/PID/smaps_rollup) where ${MANY} run, what one more costs; "alone" the resident set size (Rss), in ` +
      'which the node binary counts as if nobody else used it.',
    unit: 'KiB',
    contestants: [
      { title: `node, one of ${MANY}`, run: () => measure(workshop, node, MANY, 'Pss') },
      { title: `sdbridge run, one of ${MANY}`, run: () => measure(workshop, bridge, MANY, 'Pss') },
      { title: 'node, alone', run: () => measure(workshop, node, 1, 'Rss') },
      { title: 'sdbridge run, alone', run: () => measure(workshop, bridge, 1, 'Rss') },
    ],
  }
}

/**
 * @param {Setting['workshop']} workshop
 * @param {() => string[]} words what node is given
 * @param {number} count how many run at once
 * @param {'Pss' | 'Rss'} field
 * @returns {Promise<import('./groups.js').Sample>} in KiB, of one of them
 */
async function measure(workshop, words, count, field) {
  const path = workshop.newSocketPath()
  const sink = await workshop.start(workshop.peer, ['sink', path, '0']).ready()
  const running = Array.from({ length: count }, () =>
    startNode(workshop, words(), path, workshop.newFolder()),
  )
  await Promise.all(running.map((each) => each.ready()))
  await delay(SETTLE_MS)
  const sum = running.reduce((total, each) => total + memoryOf(each.pid, field), 0)
  for (const each of running) each.stop()
  await Promise.all(running.map((each) => each.end()))
  await sink.stop().end()
  return { time: sum / count }
}

/** @param {number} pid @param {string} field */
function memoryOf(pid, field) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(new RegExp(`^${field}: *(\\d+) kB$`, 'm').exec(text)?.[1])
}
