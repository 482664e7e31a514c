// many-descriptors.mjs: receives 100,000 messages with a descriptor each from a child, which is this program too.
//
// The descriptor is the only writing end of a pipe. The pipe ends when no copy is left: none open here or there, and none
// on its way in the kernel.
import { fork } from 'node:child_process'
import { closeSync, readdirSync, readlinkSync } from 'node:fs'
import {
  closeFd,
  closeForeignFds,
  DatagramSocket,
  describeSocket,
  FdWatcher,
  pipe,
} from '@sdbridge/syscalls'

const COUNT = 100_000
const [name] = process.argv.slice(2)
const open = () =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [`${fd} -> ${readlinkSync(`/proc/self/fd/${fd}`)}`]
    } catch {
      return []
    }
  })

if (name === undefined) receive()
else send()

function receive() {
  const socket = new DatagramSocket('unix')
  socket.bind({ family: 'unix' })
  const { abstract } = describeSocket(socket.fd).localAddress
  let received = 0
  let copies = 0
  let readFd
  socket.receive({
    onMessages(batch) {
      for (const { data, fds } of batch) {
        copies += fds.length
        if (`${data}` === 'pipe') readFd = fds.pop()
      }
      closeForeignFds(batch.flatMap(({ fds }) => fds))
      received += batch.length
    },
    onError(error) {
      throw error
    },
  })
  const child = fork(process.argv[1], [Buffer.from(abstract).toString('hex')])
  // Node has opened what it needs for children by now.
  const before = open()
  let there
  child.on('message', (message) => (there = message))
  child.on('exit', () => {
    const watcher = new FdWatcher(readFd, ({ hangup }) => {
      watcher.close()
      closeFd(readFd)
      process.stdout.write(
        JSON.stringify({
          received,
          copies,
          hangup,
          left: open().filter((each) => !before.includes(each)),
          there,
        }),
      )
      socket.close()
    })
    watcher.arm('hangup')
  })
}

function send() {
  const socket = new DatagramSocket('unix')
  socket.connect({ family: 'unix', abstract: Buffer.from(name, 'hex') })
  const { readFd, writeFd } = pipe()
  socket.trySend(Buffer.from('pipe'), { fds: [readFd] })
  closeSync(readFd)
  // What waits for room has descriptors that stay; they come before the count.
  socket.onceWritable(() => {})
  socket.onceWritable(undefined)
  const before = open()
  let sent = 0
  sendOn()

  function sendOn() {
    while (sent < COUNT) {
      if (!socket.trySend(Buffer.from('x'), { fds: [writeFd] })) {
        socket.onceWritable(sendOn)
        return
      }
      sent++
    }
    closeSync(writeFd)
    process.send(open().filter((each) => !before.includes(each)))
    process.disconnect()
  }
}
