// With --expose-gc: drops every reference to sockets, receivers and watchers. What is documented: nothing is closed by that,
// and what waits for something goes on waiting.
import assert from 'node:assert/strict'
import { readdirSync, writeSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { DatagramSocket, FdWatcher, pipe } from '@sdbridge/syscalls'

const open = () => readdirSync('/proc/self/fd').length
let texts = 0
let readable = 0

const receivers = Array.from({ length: 100 }, (_, index) => makeReceiver(index))
const writeFds = Array.from({ length: 100 }, makeWatcher)
const before = open()
for (let index = 0; index < 100; index++) makeIdle()
assert.equal(open(), before + 100)

for (let round = 0; round < 5; round++) {
  globalThis.gc()
  await turn()
}
assert.equal(open(), before + 100)

const sender = new DatagramSocket('unix')
for (const address of receivers) sender.trySend(Buffer.from('x'), { address })
for (const fd of writeFds) writeSync(fd, 'x')
while (texts < 100 || readable < 100) {
  globalThis.gc()
  await turn()
}
process.stdout.write(`${texts} messages, ${readable} pipes\n`)
process.exit()

function makeReceiver(index) {
  const address = { family: 'unix', abstract: Buffer.from(`garbage-${process.pid}-${index}`) }
  const socket = new DatagramSocket('unix')
  socket.bind(address)
  socket.receive({
    onMessages: (batch) => (texts += batch.length),
    onError: (error) => {
      throw error
    },
  })
  return address
}

function makeWatcher() {
  const { readFd, writeFd } = pipe()
  new FdWatcher(readFd, () => readable++).arm('readable')
  return writeFd
}

function makeIdle() {
  new DatagramSocket('unix').bind({ family: 'unix' })
}
