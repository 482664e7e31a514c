import { createServer } from 'node:http'
import { listenOrBind } from '@sdbridge/listen-fds'

const server = createServer((request, response) => response.end('hello from node:http\n'))

await listenOrBind(server, { name: 'web', fallback: 8080 })
