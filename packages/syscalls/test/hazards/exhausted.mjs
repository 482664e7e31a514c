// What happens when the descriptor table is full. Its limit is set from outside.
import { closeSync, openSync, readdirSync } from 'node:fs'
import { DatagramSocket, describeSocket, pipe } from '@sdbridge/syscalls'

const socket = new DatagramSocket('unix')
socket.bind({ family: 'unix' })
const address = describeSocket(socket.fd).localAddress
const sender = new DatagramSocket('unix')
sender.connect(address)
let arrived
const options = {
  pidfd: true,
  onMessages: ([message]) => arrived(message),
  onError: (error) => {
    throw error
  },
}

const results = {}
await whileFull(() => {
  results.socket = codeOf(() => new DatagramSocket('unix'))
  results.pipe = codeOf(() => pipe())
  results.receive = codeOf(() => socket.receive(options))
})
socket.receive(options)
const before = readdirSync('/proc/self/fd').length
await whileFull(async () => (results.full = await exchange('x'.repeat(5000))))
results.after = await exchange('again')
results.left = readdirSync('/proc/self/fd').length - before
process.stdout.write(JSON.stringify(results))
socket.close()
sender.close()

async function exchange(text) {
  const message = await new Promise((resolve) => {
    arrived = resolve
    sender.trySend(Buffer.from(text), { fds: [0, 1, 2] })
  })
  const { data, fullLength, truncated, controlTruncated, fds, pidfd } = message
  for (const fd of [...fds, ...(pidfd === undefined ? [] : [pidfd])]) closeSync(fd)
  return {
    length: data.length,
    fullLength,
    truncated,
    controlTruncated,
    fds: fds.length,
    sender: message.sender?.pid === process.pid,
  }
}

async function whileFull(work) {
  const fillers = []
  try {
    for (;;) fillers.push(openSync('/dev/null'))
  } catch (error) {
    if (error.code !== 'EMFILE') throw error
  }
  await work()
  for (const fd of fillers) closeSync(fd)
}

function codeOf(call) {
  try {
    call()
    return 'none'
  } catch ({ code, syscall }) {
    return `${code} ${syscall}`
  }
}
