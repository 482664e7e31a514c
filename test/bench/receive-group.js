import { fileURLToPath } from 'node:url'

/** @typedef {import('./groups.js').Setting} Setting */

const PROGRAM = fileURLToPath(new URL('contestants/receive.js', import.meta.url))

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function receiveGroup(setting) {
  const { rivals } = setting
  return {
    name: 'receive',
    title: 'Receiving',
    method:
      'A C program sends as fast as the receiver takes. The time from the first message to the last, for each of ' +
      'them. All but unix-dgram are told the sender and have room for 253 descriptors; NotifyReceiver reads what the ' +
      'messages say.',
    unit: 'ns',
    contestants: [
      {
        title: 'C: recvmsg() in a loop',
        run: () => flooded(setting, setting.workshop.peer, ['receive']),
      },
      ...[
        'DatagramSocket',
        'NotifyReceiver',
        ...rivals.filter((rival) => rival === 'unix-dgram'),
      ].map((kind) => ({
        title: TITLES[kind] ?? kind,
        run: () => flooded(setting, process.execPath, [PROGRAM, kind]),
      })),
    ],
  }
}

/** @type {Record<string, string>} */
const TITLES = {
  DatagramSocket: 'DatagramSocket.receive()',
  NotifyReceiver: 'NotifyReceiver',
  'unix-dgram': 'npm unix-dgram',
}

/** @param {Setting} setting @param {string} program @param {string[]} words @returns {Promise<import('./groups.js').Sample | undefined>} */
async function flooded({ workshop, count }, program, words) {
  const path = workshop.newSocketPath()
  const receiver = await workshop.start(program, [...words, path, `${count}`]).ready()
  const flood = workshop.start(workshop.peer, ['sendmsg', path, `${count}`, 'flood'])
  const outcome = await receiver.outcome()
  await flood.end()
  if (outcome === undefined) return undefined
  const { wall, cpu, measured } = outcome
  return { time: wall / measured, cpu: cpu / measured }
}
