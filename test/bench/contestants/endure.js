// Sends many messages: `node --expose-gc endure.js PATH WINDOW BEFORE...`; measures WINDOW of them, each time that so many were sent.
import { notify } from '@sdbridge/notify'

/** What the queue has room for. */
const BURST = 200

const [path = '', window, ...marks] = process.argv.slice(2)
process.env['NOTIFY_SOCKET'] = path
let sent = 0

const first = await measured(1)
const windows = []
for (const mark of marks.map(Number)) {
  await send(mark - sent)
  windows.push({ ...(await measured(Number(window))), heap: heapUsed() })
}
process.stdout.write(`${JSON.stringify({ first, windows })}\n`)

/** @param {number} count */
async function measured(count) {
  let cpu = 0
  for (let left = count; left > 0; left -= BURST) {
    const before = process.cpuUsage()
    await send(Math.min(left, BURST))
    const { user, system } = process.cpuUsage(before)
    cpu += (user + system) * 1000
  }
  return { time: cpu / count }
}

/** @param {number} count */
async function send(count) {
  for (const end = sent + count; sent < end; sent++) {
    await notify({ ready: true, status: `message ${sent}` })
  }
}

function heapUsed() {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
