// Starts programs while a Worker receives messages with descriptors, as fast as they come. Prints what each program has
// open that it should not.
import { spawn } from 'node:child_process'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { closeForeignFds, DatagramSocket, describeSocket } from '@sdbridge/syscalls'

if (isMainThread) await startPrograms()
else receive()

async function startPrograms() {
  // What this process was started with is not of us.
  const inherited = await openIn(0)
  const worker = new Worker(new URL(import.meta.url))
  let messages = 0
  worker.on('message', (count) => (messages = count))
  while (messages === 0) await new Promise((resolve) => worker.once('message', resolve))
  const first = messages
  const seen = []
  for (let index = 0; index < 60; index++) seen.push(...(await openIn(index)))
  // Each batch is told.
  while (messages === first) await new Promise((resolve) => worker.once('message', resolve))
  await worker.terminate()
  process.stdout.write(JSON.stringify({ seen: seen.filter((each) => !inherited.includes(each)) }))
}

/** The descriptors of a program that are none of its three and not the one of its own listing. */
async function openIn(index) {
  // exec: a shell that waits would have some of its own.
  const child = spawn('/bin/sh', ['-c', 'exec ls -l /proc/self/fd'], {
    stdio: ['ignore', 'pipe', index % 2 === 0 ? 'inherit' : 'ignore'],
  })
  let listing = ''
  child.stdout.on('data', (text) => (listing += text))
  await new Promise((resolve) => child.on('close', resolve))
  const links = [...listing.matchAll(/ (\d+) -> (.*)$/gm)]
  if (links.length < 3) throw new Error(`a strange listing: ${listing}`)
  return links
    .filter(([, fd, to]) => Number(fd) > 2 && !to.startsWith(`/proc/${child.pid}/`))
    .map(([, , to]) => to)
}

function receive() {
  const socket = new DatagramSocket('unix')
  socket.bind({ family: 'unix' })
  const sender = new DatagramSocket('unix')
  sender.connect(describeSocket(socket.fd).localAddress)
  let count = 0
  socket.receive({
    onMessages(batch) {
      count += batch.length
      for (const { fds } of batch) closeForeignFds(fds)
      parentPort.postMessage(count)
    },
    onError(error) {
      throw error
    },
  })
  const fds = Array(50).fill(socket.fd)
  sendOn()
  function sendOn() {
    while (sender.trySend(Buffer.from('x'), { fds })) continue
    sender.onceWritable(sendOn)
  }
}
