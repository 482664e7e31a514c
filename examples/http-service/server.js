// A small HTTP service that a service manager starts, hands a socket to, waits for, watches, reloads and
// stops. Without a service manager it is an ordinary server on port 8080.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { listenOrBind } from '@sdbridge/listen-fds'
import { lifecycle, status } from '@sdbridge/notify'

const GREETING_FILE = process.env.GREETING_FILE ?? new URL('greeting.txt', import.meta.url)

let greeting = readGreeting()
let served = 0

const server = createServer((request, response) => {
  // For trying the watchdog: nothing else runs while the loop is blocked, the pings included.
  if (request.url === '/block') for (;;);
  served++
  response.end(`${greeting} (request ${served} of process ${process.pid})\n`)
})

await lifecycle({
  async start() {
    const { address } = await listenOrBind(server, { fallback: 8080 })
    return `Waiting for requests on ${address}`
  },
  // If the file cannot be read, the service goes on with what it had, and the status tells why.
  reload() {
    greeting = readGreeting()
    return `Reloaded; ${served} requests served`
  },
  async stop() {
    tell('Finishing the requests under way')
    // New connections wait in the manager's copy of the socket for the next process.
    server.close()
    await once(server, 'close')
  },
})

setInterval(() => tell(`${served} requests served`), 1000).unref()

// What the manager is told while the service runs is not worth the service's life.
/** @param {string} text */
function tell(text) {
  status(text).catch((error) => process.stderr.write(`${error}\n`))
}

function readGreeting() {
  return readFileSync(GREETING_FILE, 'utf8').trim()
}
