// What a user's service looks like.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { listenFds } from '@sdbridge/listen-fds'
import { ready, reloading, stopping, watchdog } from '@sdbridge/notify'

// Whoever started it may be ended at any time. Its standard input does not tell: it is /dev/null.
const parent = process.ppid
setInterval(() => isOrphan() && process.exit(99), 1000).unref()

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

/** As the kernel says: a runtime may keep what it read at its start. */
function isOrphan() {
  const [, ppid] = /^PPid:\t(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return ppid !== undefined && Number(ppid) !== parent
}
