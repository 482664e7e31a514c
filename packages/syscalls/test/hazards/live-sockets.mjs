// A Worker that receives, waits for room, and watches, until it is terminated.
import { parentPort } from 'node:worker_threads'
import { DatagramSocket, describeSocket, FdWatcher } from '@sdbridge/syscalls'

try {
  const socket = new DatagramSocket('unix')
  socket.bind({ family: 'unix' })
  socket.receive({
    onMessages() {},
    onError(error) {
      throw error
    },
  })
  const sender = new DatagramSocket('unix')
  sender.connect(describeSocket(socket.fd).localAddress)
  sender.trySend(Buffer.from('x'))
  sender.onceWritable(() => {})
  const watcher = new FdWatcher(0, () => {})
  watcher.unref()
  parentPort.postMessage('ready')
} catch ({ message, code, syscall }) {
  parentPort.postMessage({ message, code, syscall })
}
