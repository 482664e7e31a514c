import { createServer } from 'node:http'
import { listenOrBind } from '@sdbridge/listen-fds'
import { WebSocketServer } from 'ws'

const server = createServer()
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('error', () => {}).on('message', (data) => socket.send(`you said ${data}`))
})

await listenOrBind(server, { name: 'web', fallback: 8080 })
