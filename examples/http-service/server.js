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

const [socket] = listenFds()
server.listen(socket ?? 8080, async () => {
  await ready('Waiting for requests')
  watchdog()
})

setInterval(() => status(`${served} requests served`), 1000).unref()

process.on('SIGHUP', async () => {
  await reloading()
  greeting = readGreeting()
  await ready(`Reloaded; ${served} requests served`)
})

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await stopping('Finishing the requests under way')
    // New connections wait in the manager's copy of the socket for the next process.
    server.close()
  })
}

function readGreeting() {
  return readFileSync(GREETING_FILE, 'utf8').trim()
}
