// An HTTP server that gets its socket in one of several ways: how long it takes until it listens, and then, if asked, its requests.
import { createServer } from 'node:http'

const [way = '', path = '', stays = ''] = process.argv.slice(2)
let cpuBefore = cpu()
const server = createServer(({ url }, response) => {
  if (url === '/start') cpuBefore = cpu()
  response.end(url === '/end' ? String(cpu() - cpuBefore) : 'hello')
})

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
  process.stdout.write(`${JSON.stringify({ cpu: cpu() })}\n`)
  if (stays === '') server.close()
})
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
await ways[way]?.()

/** In nanoseconds, with the kernel's part. */
function cpu() {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}
