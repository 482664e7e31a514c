import { createSocket } from 'node:dgram'
import { listenOrBind } from '@sdbridge/listen-fds'

const socket = createSocket('udp6')
socket.on('message', (message, { port, address }) => {
  if (port !== 0) socket.send(message, port, address)
})

await listenOrBind(socket, { name: 'echo', fallback: 8080 })
