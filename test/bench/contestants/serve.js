// An HTTP server that gets its socket in one of several ways: how long it takes until it listens, and then, if asked, its requests.
import { createServer } from 'node:http'

const [way = '', path = '', stays = ''] = process.argv.slice(2)
const server = createServer((_request, response) => response.end('hello'))

/** @type {Record<string, () => unknown>} */
const ways = {
  bind: () => server.listen(path),
  fd: () => server.listen({ fd: 3 }),
  async listenFds() {
    const { listenFds } = await import('@sdbridge/listen-fds')
    server.listen(listenFds()[0])
  },
  async listenOrBind() {
    const { listenOrBind } = await import('@sdbridge/listen-fds')
    await listenOrBind(server, { name: 'web' })
  },
  async fallback() {
    const { listenOrBind } = await import('@sdbridge/listen-fds')
    await listenOrBind(server, { name: 'web', fallback: path })
  },
}

server.once('listening', () => {
  const { user, system } = process.cpuUsage()
  process.stdout.write(`${JSON.stringify({ cpu: (user + system) * 1000 })}\n`)
  if (stays === '') server.close()
})
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
await ways[way]?.()
