// One contestant that sends from JavaScript: `node send.js KIND PATH COUNT PACE`, as the senders of peer.c.
import { senders } from './senders.js'

const BURST = 200
const PAUSE_NS = 2_000_000n
const WARM_UP = 2

const [kind = '', path = '', count = '', pace] = process.argv.slice(2)
process.env['NOTIFY_SOCKET'] = path
const sendMany = await senders[kind]?.(path)
if (sendMany === undefined) throw new Error(`no sender is called '${kind}'`)

const warmUp = Math.floor(Number(count) / WARM_UP)
const measured = Number(count)
await sendAll(sendMany, warmUp)
const result = { ...(await sendAll(sendMany, measured)), measured, messages: warmUp + measured }
// A client that waits for messages too keeps its process alive.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit())

/**
 * @param {(count: number) => Promise<void> | void} sendSome
 * @param {number} wanted
 * @returns What it took without the pauses, in nanoseconds.
 */
async function sendAll(sendSome, wanted) {
  const taken = { wall: 0, cpu: 0 }
  for (let left = wanted; left > 0;) {
    const burst = pace === 'paced' ? Math.min(left, BURST) : left
    const before = process.cpuUsage()
    const start = process.hrtime.bigint()
    await sendSome(burst)
    taken.wall += Number(process.hrtime.bigint() - start)
    const { user, system } = process.cpuUsage(before)
    taken.cpu += (user + system) * 1000
    left -= burst
    if (pace === 'paced') pause()
  }
  return taken
}

// Busy, as in peer.c.
function pause() {
  const end = process.hrtime.bigint() + PAUSE_NS
  while (process.hrtime.bigint() < end);
}
