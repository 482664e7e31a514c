// An HTTP service like any other under systemd. Nothing in it knows of a container.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { lifecycle, status } from '@sdbridge/notify'

let served = 0
const server = createServer((request, response) => {
  served++
  response.end(`Hello from process ${process.pid}, user ${process.getuid?.()}\n`)
})

await lifecycle({
  async start() {
    await once(server.listen(8080), 'listening')
    return 'Serving on port 8080'
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
