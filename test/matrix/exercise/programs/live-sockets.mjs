// A Worker with sockets in one state, for its parent to terminate.
import { parentPort, threadId, workerData } from 'node:worker_threads'
import { DatagramSocket } from '@sdbridge/syscalls'

const address = {
  family: 'unix',
  abstract: Buffer.from(`live-sockets-${process.pid}-${threadId}`),
}
const socket = new DatagramSocket('unix')
socket.bind(address)
const sender = new DatagramSocket('unix')
sender.connect(address)
const onError = (error) => {
  throw error
}
const fill = () => {
  while (sender.trySend(Buffer.from('x'), { fds: [0] })) continue
}

const states = {
  idle() {
    socket.receive({ onMessages() {}, onError })
  },
  unread() {
    fill()
    setInterval(() => {}, 1000)
  },
  'waiting for room'() {
    fill()
    sender.onceWritable(() => {})
  },
  busy() {
    const onMessages = () => {
      parentPort.postMessage('ready')
      for (;;);
    }
    socket.receive({ onMessages, onError })
    sender.trySend(Buffer.from('x'))
  },
}
states[workerData.state]()
if (workerData.state !== 'busy') parentPort.postMessage('ready')
