// An HTTP service like any other under systemd. Nothing in it knows of a container.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { listenOrBind } from '@sdbridge/listen-fds'
import { lifecycle, status } from '@sdbridge/notify'

let served = 0
const server = createServer((request, response) => {
  served++
  response.end(`Hello from process ${process.pid}, user ${process.getuid?.()}\n`)
})

await lifecycle({
  async start() {
    const { address } = await listenOrBind(server, { name: 'web', fallback: 8080 })
    return `Serving on ${address}`
  },
  healthy: () => server.listening,
  reload: () => `Reloaded after ${served} requests`,
  async stop() {
    server.close()
    await once(server, 'close')
  },
})

// What the manager is told while the service runs is not worth the service's life.
setInterval(() => status(`${served} requests served`).catch(() => {}), 5000).unref()
