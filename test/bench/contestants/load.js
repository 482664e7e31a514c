// Asks an HTTP server as fast as it answers, over connections that are kept, and says what processor time that took the server.
import { Agent, get } from 'node:http'

const [socketPath = '', count = '', connections = ''] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) })
const warmUp = Math.ceil(Number(count) / 5)

await ask(warmUp)
await one('/start')
await ask(Number(count))
const cpu = Number(await one('/end'))
process.stdout.write(`${JSON.stringify({ cpu, measured: Number(count) })}\n`)
agent.destroy()

/** @param {number} requests */
async function ask(requests) {
  let left = requests
  await Promise.all(
    Array.from({ length: Number(connections) }, async () => {
      while (left-- > 0) await one('/')
    }),
  )
}

/** @param {string} path @returns {Promise<string>} */
function one(path) {
  return new Promise((resolve, reject) => {
    get({ socketPath, agent, path }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (data) => (text += data))
      response.once('end', () => resolve(text))
    }).once('error', reject)
  })
}
