// What a user's service looks like.
import { createServer } from 'node:net'
import { listenFds } from '@sdbridge/listen-fds'
import { ready, reloading, stopping, watchdog } from '@sdbridge/notify'

const [socket] = listenFds()
const server = createServer((connection) => connection.end(`${socket.name} ${process.pid}\n`))

process.on('SIGHUP', async () => {
  await reloading()
  await ready('reloaded')
})
process.once('SIGTERM', async () => {
  await stopping()
  server.close()
})
server.listen(socket.expect('tcp-listener'), async () => {
  await ready(`serving ${socket.name} ${socket.kind}`)
  if (!process.argv.includes('no-pings')) watchdog()
})
