// Asks an HTTP server as fast as it answers, over connections that are kept, and says how long a request took.
import { Agent, get } from 'node:http'

const [socketPath = '', count = '', connections = ''] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) })
const warmUp = Math.ceil(Number(count) / 5)

await ask(warmUp)
const start = process.hrtime.bigint()
await ask(Number(count))
const wall = Number(process.hrtime.bigint() - start)
process.stdout.write(`${JSON.stringify({ wall, measured: Number(count) })}\n`)
agent.destroy()

/** @param {number} requests */
async function ask(requests) {
  let left = requests
  await Promise.all(
    Array.from({ length: Number(connections) }, async () => {
      while (left-- > 0) await one()
    }),
  )
}

/** @returns {Promise<void>} */
function one() {
  return new Promise((resolve, reject) => {
    get({ socketPath, agent }, (response) => {
      response.resume().once('end', resolve)
    }).once('error', reject)
  })
}
