// Closes descriptors that are not the program's to close: those of our threads. The process must end all the same.
import { readdirSync, readlinkSync } from 'node:fs'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { closeFd, DatagramSocket } from '@sdbridge/syscalls'

const anonymous = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /eventpoll|eventfd/.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  })

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))
  const ended = new Promise((resolve) => worker.on('exit', resolve))
  worker.on('message', async () => {
    await worker.terminate()
    await ended
    process.stdout.write('ended\n')
  })
} else {
  const socket = new DatagramSocket('unix')
  socket.bind({ family: 'unix' })
  const before = anonymous()
  socket.receive({ onMessages() {}, onError() {} })
  const ours = anonymous().filter((fd) => !before.includes(fd))
  if (ours.length !== 2) throw new Error(`not the poller's two: ${ours}`)
  // Not by node:fs, which warns of numbers that it does not know.
  for (const fd of ours) closeFd(Number(fd))
  parentPort.postMessage('closed')
}
