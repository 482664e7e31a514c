import cluster from 'node:cluster'
import { createServer } from 'node:http'
import { listenOrBind } from '@sdbridge/listen-fds'

if (cluster.isPrimary) {
  for (let count = 0; count < 4; count++) cluster.fork()
} else {
  const server = createServer((request, response) => response.end(`hello from ${process.pid}\n`))
  await listenOrBind(server, { name: 'web', fallback: 8080 })
}
