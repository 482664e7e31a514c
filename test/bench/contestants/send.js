// One contestant that sends from JavaScript: `node send.js KIND PATH COUNT PACE`, as the senders of peer.c.
import { senders } from './senders.js'

const BURST = 200
const PAUSE_MS = 3
const WARM_UP = 5

const [kind = '', path = '', count = '', pace] = process.argv.slice(2)
process.env['NOTIFY_SOCKET'] = path
const sendMany = await senders[kind]?.(path)
if (sendMany === undefined) throw new Error(`no sender is called '${kind}'`)

const warmUp = Math.floor(Number(count) / WARM_UP)
await sendAll(sendMany, warmUp)
const before = process.cpuUsage()
const wall = await sendAll(sendMany, Number(count))
const { user, system } = process.cpuUsage(before)
const result = {
  wall,
  cpu: (user + system) * 1000,
  measured: Number(count),
  messages: warmUp + Number(count),
}
// A client that waits for messages too keeps its process alive.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit())

/**
 * @param {(count: number) => Promise<void> | void} sendSome
 * @param {number} wanted
 */
async function sendAll(sendSome, wanted) {
  let nanoseconds = 0
  for (let left = wanted; left > 0;) {
    const burst = pace === 'paced' ? Math.min(left, BURST) : left
    const start = process.hrtime.bigint()
    await sendSome(burst)
    nanoseconds += Number(process.hrtime.bigint() - start)
    left -= burst
    if (pace === 'paced') nap()
  }
  return nanoseconds
}

// As nanosleep(2) in C: a timer's turn of the event loop would be counted as cost of the messages.
function nap() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
}
