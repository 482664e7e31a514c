import { createServer } from 'node:net'
import { pipeline } from 'node:stream'
import { listenOrBind } from '@sdbridge/listen-fds'

const server = createServer((socket) => pipeline(socket, socket, () => {}))

await listenOrBind(server, { name: 'echo', fallback: 8080 })
