// A service on sockets that Node itself cannot drive, beside one that it can.
import { createServer } from 'node:net'
import { closeUnclaimedFds, isSocketUnix, listenOrBind, takeFds } from '@sdbridge/listen-fds'
import { ready, stopping } from '@sdbridge/notify'

const onError = (error) => process.stderr.write(`${error.stack}\n`)
const [log, control] = ['log', 'control'].flatMap(takeFds)
const isLog = isSocketUnix(log.fd, { type: 'dgram', path: log.address })
const socket = log.openDatagramSocket()
socket.receive({
  addresses: true,
  onMessages: (batch) => batch.forEach(({ data, address }) => socket.trySend(data, { address })),
  onError,
})
const listener = control.openListener({
  onConnection: (connection) =>
    connection.receive({
      onMessages: (batch) => batch.forEach(({ data }) => connection.trySend(data)),
      onEnd: () => connection.close(),
      onError,
    }),
  onError,
})
const server = createServer((client) => client.end('hello\n'))
const { inherited } = await listenOrBind(server, { name: 'web' })
process.once('SIGTERM', async () => {
  await stopping()
  server.close()
  socket.close()
  listener.close()
})
const unclaimed = closeUnclaimedFds().map(({ name }) => name)
await ready(`${isLog} ${inherited} ${unclaimed.join()}`)
