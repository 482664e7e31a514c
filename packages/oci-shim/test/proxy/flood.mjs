// Sends without end, each message one that may not be dropped: flood.mjs <socket path>
import { DatagramSocket, pipe } from '@sdbridge/syscalls'

const socket = new DatagramSocket('unix')
socket.connect({ family: 'unix', path: process.argv[2] })
const { writeFd } = pipe()
for (let count = 0; ; count++) {
  const fds = count % 10 === 0 ? [writeFd] : []
  const text = count % 10 === 0 ? 'BARRIER=1' : `ERRNO=${count % 4096}`
  while (!socket.trySend(Buffer.from(text), fds.length > 0 ? { fds } : {})) {
    await new Promise((resolve) => socket.onceWritable(resolve))
  }
}
