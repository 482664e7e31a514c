import { readFileSync } from 'node:fs'
import { pipeline } from 'node:stream'
import { createServer } from 'node:tls'
import { listenOrBind } from '@sdbridge/listen-fds'

const [key, cert] = process.argv.slice(2).map((file) => readFileSync(file))
const server = createServer({ key, cert }, (socket) => pipeline(socket, socket, () => {}))

await listenOrBind(server, { name: 'echo', fallback: 8080 })
