// Registers containers at the daemon's control socket, one after the other, each on a connection of its own: `register-many.mjs PREFIX FIRST COUNT`.
// It prints what is not answered as it should be.
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'

const [prefix, first, count] = process.argv.slice(2)
for (let number = Number(first); number < Number(first) + Number(count); number++) {
  const name = `${prefix}${number}`
  const container = { id: `id-${name}`, engine: 'runc' }
  const socket = connect('/run/sdbridge-daemon/control.sock')
  socket.write(`${JSON.stringify({ version: 1, command: 'register', name, container })}\n`)
  const { error } = JSON.parse(await text(socket))
  if (error !== undefined) process.stdout.write(`${name}: ${error}\n`)
}
