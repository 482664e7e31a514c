import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { bridgeWords, startNode } from './bridge.js'

/** @typedef {import('./groups.js').Setting} Setting */

const IDLE = fileURLToPath(new URL('contestants/idle.js', import.meta.url))
/** Pages that several processes share are counted in parts: one of many shows what one more costs. */
export const MANY = 8

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function memoryGroup({ workshop, engines, settleMs }) {
  const node = () => [IDLE]
  const bridge = () => bridgeWords(workshop)
  /** @param {number} count @param {'Pss' | 'Rss'} field */
  const contestants = (count, field) => {
    /** @param {'conmon' | 'runc'} program */
    const ofEngine = async (program) => {
      const memory = await engines.memory(program, count, field)
      return memory === undefined ? undefined : { time: memory }
    }
    const which = count === 1 ? 'alone' : `one of ${count}`
    return [
      { title: `node, ${which}`, run: () => measureMemory(workshop, node, count, field, settleMs) },
      {
        title: `sdbridge run, ${which}`,
        run: () => measureMemory(workshop, bridge, count, field, settleMs),
      },
      { title: `conmon of podman, ${which}`, run: () => ofEngine('conmon') },
      { title: `runc run, ${which}`, run: () => ofEngine('runc') },
    ]
  }
  return {
    name: 'memory',
    title: 'Memory: a bridge between a container and systemd',
    method:
      '`sdbridge run` after the `READY=1` of its payload; conmon and `runc run` stay beside a container that waits, as the bridge does beside any. Payload and ' +
      `container are not counted; nothing has happened for ${settleMs / 1000} seconds: within half a minute or so, V8 gives back what a start took. "One of ` +
      `${MANY}" is the proportional set size (Pss of /proc/PID/smaps_rollup) where ${MANY} run, what one more costs; "alone" the resident set size (Rss), in ` +
      'which the node binary counts as if nobody else used it.',
    unit: 'KiB',
    contestants: [...contestants(MANY, 'Pss'), ...contestants(1, 'Rss')],
  }
}

/**
 * @param {Setting['workshop']} workshop
 * @param {() => string[]} words what node is given
 * @param {number} count how many run at once
 * @param {'Pss' | 'Rss'} field
 * @param {number} settleMs after their start
 * @returns {Promise<import('./groups.js').Sample>} in KiB, of one of them
 */
export async function measureMemory(workshop, words, count, field, settleMs) {
  const path = workshop.newSocketPath()
  const sink = await workshop.start(workshop.peer, ['sink', path, '0']).ready()
  const running = Array.from({ length: count }, () =>
    startNode(workshop, words(), path, workshop.newFolder()),
  )
  await Promise.all(running.map((each) => each.ready()))
  await delay(settleMs)
  const sum = running.reduce((total, each) => total + memoryOf(each.pid, field), 0)
  for (const each of running) each.stop()
  await Promise.all(running.map((each) => each.end()))
  await sink.stop().end()
  return { time: sum / count }
}

/** @param {number} pid @param {string} field */
export function memoryOf(pid, field) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(new RegExp(`^${field}: *(\\d+) kB$`, 'm').exec(text)?.[1])
}
