import { createServer } from 'node:http2'
import { listenOrBind } from '@sdbridge/listen-fds'

const server = createServer((request, response) =>
  response.end(`hello over HTTP/${request.httpVersion}\n`),
)

await listenOrBind(server, { name: 'web', fallback: 8080 })
