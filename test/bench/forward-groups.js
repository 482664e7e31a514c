import { collect } from './collect.js'
import { RELAYS, SOCAT } from './relays.js'

/** @typedef {import('./groups.js').Setting} Setting */
/** @typedef {import('./groups.js').Group} Group */

const MANY = 100
const METHOD =
  'From a payload to a receiver in C, through a relay between them: a loop of recvmsg(), with credentials and room for descriptors, and of sendto() in ' +
  'C; socat, which asks for neither; and the process of `sdbridge run`, which checks what it passes on. The time of a message that arrives; "CPU ns" is the relay’s.'

/** @param {Setting} setting @returns {Group} */
export function forwardGroup(setting) {
  return {
    name: 'forward',
    title: 'Forwarding: a payload that sends as fast as it can',
    method: METHOD,
    ...flooded(setting, 1),
  }
}

/** @param {Setting} setting @returns {Group} */
export function forwardManyGroup(setting) {
  return {
    name: `forward-${MANY}`,
    title: `Forwarding: ${MANY} processes that send as fast as they can`,
    method: 'The same. Who finds the queue full sleeps, and is woken when there is room.',
    ...flooded(setting, MANY),
  }
}

/** @param {Setting} setting @param {number} senders @returns {Pick<Group, 'unit' | 'second' | 'contestants'>} */
function flooded({ workshop, count }, senders) {
  const before = Math.floor(count / 2)
  const measured = Math.floor(count / senders) * senders
  return {
    unit: 'ns',
    second: { title: SOCAT, name: 'socat' },
    contestants: RELAYS.map(([title, startRelay]) => ({
      title,
      run: async () => {
        const { wall, cpu } = await collect(workshop, startRelay, [before, measured], (path) => [
          'crowd',
          path,
          `${count}`,
          `${senders}`,
        ])
        return { time: wall / measured, cpu: cpu / measured }
      },
    })),
  }
}
