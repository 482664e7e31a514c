// Requests over fresh connections. As a program (node load.js PORT) it makes them until its standard input ends,
// and prints what became of them.
import { get } from 'node:http'
import { fileURLToPath } from 'node:url'

/**
 * One request over a connection of its own.
 *
 * @param {number} port
 * @returns {Promise<string>}
 */
export function request(port) {
  return new Promise((resolve, reject) => {
    const outgoing = get({ host: '127.0.0.1', port, agent: false, timeout: 10_000 }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (body += chunk))
      response.on('end', () => resolve(body.trim()))
      response.on('error', reject)
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 seconds')))
    outgoing.on('error', reject)
  })
}

/**
 * Requests in several lanes, one after the other in each, until told to stop.
 *
 * @param {number} port
 * @param {number} lanes
 * @returns {{ stop: () => Promise<{ answered: number, lost: string[], pids: Set<string> }> }}
 */
export function startLoad(port, lanes) {
  let running = true
  let answered = 0
  /** @type {string[]} */
  const lost = []
  /** @type {Set<string>} */
  const pids = new Set()

  const lane = async () => {
    while (running) {
      try {
        const body = await request(port)
        answered++
        pids.add(/process (\d+)/.exec(body)?.[1] ?? 'unknown')
      } catch (error) {
        lost.push(error instanceof Error ? error.message : String(error))
      }
    }
  }
  const all = Promise.all(Array.from({ length: lanes }, lane))
  return {
    async stop() {
      running = false
      await all
      return { answered, lost, pids }
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const load = startLoad(Number(process.argv[2]), 4)
  process.stdin.resume().once('end', async () => {
    const { pids, ...outcome } = await load.stop()
    process.stdout.write(JSON.stringify({ ...outcome, pids: [...pids] }))
  })
}
