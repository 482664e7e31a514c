// Says lines of JSON to the daemon's control socket, each on a connection of its own, and prints what it answers: `ask-daemon.mjs '{"command":"list"}' …`.
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'

for (const request of process.argv.slice(2)) {
  const socket = connect('/run/sdbridge-daemon/control.sock')
  socket.write(`${JSON.stringify({ version: 1, ...JSON.parse(request) })}\n`)
  process.stdout.write(await text(socket))
}
