// A small HTTP service that a service manager starts, hands a socket to, waits for, watches, reloads and
// stops. Without a service manager it is an ordinary server on port 8080.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { listenFds } from '@sdbridge/listen-fds'
import { ready, reloading, status, stopping, watchdog } from '@sdbridge/notify'

const GREETING_FILE = process.env.GREETING_FILE ?? new URL('greeting.txt', import.meta.url)

let greeting = readGreeting()
let served = 0

const server = createServer((request, response) => {
  // For trying the watchdog: nothing else runs while the loop is blocked, the pings included.
  if (request.url === '/block') for (;;);
  served++
  response.end(`${greeting} (request ${served} of process ${process.pid})\n`)
})

// Handlers first: a signal may come as soon as the manager knows that the service is ready.
process.on('SIGHUP', async () => {
  await reloading().catch(report)
  try {
    greeting = readGreeting()
    await ready(`Reloaded; ${served} requests served`).catch(report)
  } catch (error) {
    // The reload is over all the same, and the service goes on with what it had.
    await ready(`Reload failed: ${String(error)}`).catch(report)
  }
})

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await stopping('Finishing the requests under way').catch(report)
    // New connections wait in the manager's copy of the socket for the next process.
    server.close()
  })
}

const [socket] = listenFds()
server.listen(socket ?? 8080, async () => {
  // Not caught: a manager that cannot be told would wait in vain, so the service ends with the reason.
  await ready('Waiting for requests')
  watchdog({ onError: report })
  setInterval(() => status(`${served} requests served`).catch(report), 1000).unref()
})

function readGreeting() {
  return readFileSync(GREETING_FILE, 'utf8').trim()
}

// What the manager is told while the service runs is not worth the service's life.
/** @param {unknown} error */
function report(error) {
  process.stderr.write(`${String(error)}\n`)
}
