// Receives one message, sent by a timer that keeps nothing alive, closes, and so ends by itself.
import { DatagramSocket } from '@sdbridge/syscalls'

const address = { family: 'unix', abstract: Buffer.from(`receive-once-${process.pid}`) }
const socket = new DatagramSocket('unix')
socket.bind(address)
socket.receive({
  onMessages: () => {
    process.stdout.write('received\n')
    socket.close()
  },
  onError: (error) => {
    throw error
  },
})
setTimeout(() => new DatagramSocket('unix').trySend(Buffer.from('x'), { address }), 50).unref()
