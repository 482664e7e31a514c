import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** @typedef {import('./groups.js').Setting} Setting */
/** @typedef {import('./groups.js').Sample} Sample */

const LIBSYSTEMD = 'C: sd_notify() of libsystemd'
const PROGRAM = fileURLToPath(new URL('contestants/send.js', import.meta.url))
/** Longer than a burst takes, shorter than the pause after it (peer.c). */
const NAP_US = 500

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function sendGroup(setting) {
  return {
    name: 'send',
    title: 'Sending: what a message costs its sender',
    method:
      'Bursts of 200, which the queue has room for, to a receiver that sleeps meanwhile and empties the queue in ' +
      'the pause after each burst. So a call neither waits nor wakes anybody, and its time is the processor’s, with ' +
      'all threads of the process and the kernel. Other programs disturb this least. notify() looks `NOTIFY_SOCKET` up ' +
      'at each call; with an `env` of its own it does not ask process.env, which is C++ in Node.',
    unit: 'ns',
    second: { title: LIBSYSTEMD, name: 'libsystemd' },
    contestants: contestants(setting, 'paced'),
  }
}

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function floodGroup(setting) {
  return {
    name: 'flood',
    title: 'Sending: against a receiver that keeps up as well as it can',
    method:
      'As many messages as the receiver, a loop of recvmsg() in C, takes. Here the two ends wait for and wake each ' +
      'other, and the receiver may be the slower one. The time of a message that arrived is what is compared: of ' +
      'pings that wait, notify() sends the latest only.',
    unit: 'ns',
    second: { title: LIBSYSTEMD, name: 'libsystemd' },
    contestants: [
      ...contestants(setting, 'flood'),
      ...(spawnSync('systemd-notify', ['--version']).status === 0
        ? [
            {
              title: 'spawned systemd-notify',
              run: () =>
                runNode(setting, 'systemd-notify', 'flood', Math.ceil(setting.count / 2000)),
            },
          ]
        : []),
    ],
  }
}

/** @param {Setting} setting @param {'paced' | 'flood'} pace @returns {import('./groups.js').Contestant[]} */
function contestants(setting, pace) {
  const { rivals, count } = setting
  return [
    { title: 'C: sendmsg(), connected', run: () => runC(setting, 'sendmsg', pace, count) },
    { title: 'C: send(), connected', run: () => runC(setting, 'send', pace, count) },
    { title: LIBSYSTEMD, run: () => runC(setting, 'sd_notify', pace, count) },
    {
      title: 'notify({ watchdog: true }), each awaited',
      run: () => runNode(setting, 'awaited', pace, count),
    },
    {
      title: 'the same with an env of its own',
      run: () => runNode(setting, 'awaited-env', pace, count),
    },
    {
      title: 'notify({ watchdog: true }), 100 at once',
      run: () => runNode(setting, 'at-once', pace, count),
    },
    { title: 'DatagramSocket.trySend()', run: () => runNode(setting, 'trySend', pace, count) },
    ...rivals.map((rival) => ({
      title: `npm ${rival}`,
      run: () => runNode(setting, rival, pace, count),
    })),
  ]
}

/** @param {Setting} setting @param {string} kind @param {string} pace @param {number} count */
async function runC({ workshop }, kind, pace, count) {
  return await besideSink(workshop, pace, (path) =>
    workshop.start(workshop.peer, [kind, path, `${count}`, pace]),
  )
}

/** @param {Setting} setting @param {string} kind @param {string} pace @param {number} count */
async function runNode({ workshop }, kind, pace, count) {
  return await besideSink(workshop, pace, (path) =>
    workshop.start(process.execPath, [PROGRAM, kind, path, `${count}`, pace]),
  )
}

/**
 * @param {Setting['workshop']} workshop
 * @param {string} pace
 * @param {(path: string) => import('./workshop.js').Running} startSender
 * @returns {Promise<Sample | undefined>}
 */
async function besideSink(workshop, pace, startSender) {
  const path = workshop.newSocketPath()
  const nap = pace === 'paced' ? NAP_US : 0
  const sink = await workshop.start(workshop.peer, ['sink', path, `${nap}`]).ready()
  const sender = await startSender(path).outcome()
  const taken = await sink.stop().outcome()
  if (sender === undefined || taken === undefined) return undefined
  // What was measured, less the part that never arrived.
  const counted = (sender.measured * taken.messages) / sender.messages
  const about = { sent: sender.messages, arrived: taken.messages }
  const cpu = sender.cpu / counted
  return pace === 'paced' ? { time: cpu, ...about } : { time: sender.wall / counted, cpu, ...about }
}
