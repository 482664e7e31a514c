// What is done while each system call fails in turn. One entry is one small scenario: it may do anything that the
// package offers, throws (or rejects) the errors that it meets, and hands everything that it opens to `defer`, which
// closes it whatever happened. It must not take an error for granted: anything may fail. Waiting is by `settled`.
//
// `fresh`: needs a process of its own for each run, because it is about what happens once in a process. That takes
// its time, so it names the calls that are meant; the others fail in other scenarios.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  adoptConnection,
  bindSocket,
  closeFd,
  closeForeignFds,
  ConnectionListener,
  connectSocket,
  DatagramSocket,
  describeSocket,
  duplicateFd,
  execve,
  FdWatcher,
  getFileLimit,
  isCloexec,
  isNonBlocking,
  isSameDescription,
  isSubreaper,
  kindOfFd,
  MessageQueue,
  monotonicOffset,
  monotonicUsec,
  openPidNamespace,
  pidfdId,
  pidfdOpen,
  pidfdPid,
  pidFromNamespace,
  pidInNamespace,
  pipe,
  removeStaleSocketFile,
  sendSignal,
  setCloexec,
  setNonBlocking,
  setSubreaper,
  signalNumber,
  SignalWatcher,
  socketCookie,
  waitForExit,
  withSoftFileLimit,
} from '@sdbridge/syscalls'
import { openMessageQueue } from '../../../../test/matrix/exercise/message-queue.mjs'

/** @typedef {(close: () => void) => void} Defer */
/** @type {Record<string, { fresh?: string[], run(defer: Defer): unknown }>} */
export const scenarios = {
  'a message with descriptors is received': {
    async run(defer) {
      const { send, received } = inbox(defer, { pidfd: true })
      await send('x', [0, 1, 2])
      await received(1)
    },
  },
  'a message is received with the address of its sender': {
    async run(defer) {
      const { sender, send, received } = inbox(defer, { addresses: true })
      sender.bind({ family: 'unix' })
      await send('x', [0])
      await received(1)
    },
  },
  'many messages are received': {
    async run(defer) {
      const { send, received } = inbox(defer)
      for (let index = 0; index < 20; index++) await send(`${index}`, [0])
      await received(20)
    },
  },
  'a receiver is paused and resumed': {
    async run(defer) {
      const { send, receiver, received } = inbox(defer)
      receiver.pause()
      await send('x', [])
      receiver.resume()
      await received(1)
    },
  },
  'a sender waits for room': {
    async run(defer) {
      const { sender, room, receiver, received } = inbox(defer)
      receiver.pause()
      let sent = 0
      while (sender.trySend(Buffer.from('x'))) sent++
      await room(() => receiver.resume())
      await received(sent)
    },
  },
  'messages leave the queue when they have been dealt with': {
    run(defer) {
      const socket = opened(defer, new DatagramSocket('unix'))
      socket.bind({ family: 'unix' })
      const sender = opened(defer, new DatagramSocket('unix'))
      sender.connect(describeSocket(socket.fd).localAddress)
      let failure
      const answers = [false]
      const receiver = socket.peek({
        onMessage: () => answers.shift() ?? true,
        onError: (error) => (failure = error),
      })
      for (const text of ['a', 'b']) sender.trySend(Buffer.from(text), { fds: [0] })
      receiver.readBatch()
      receiver.release()
      receiver.readBatch()
      if (failure !== undefined) throw failure
    },
  },
  'a batch is sent': {
    async run(defer) {
      const { sender, received } = inbox(defer)
      const payloads = Buffer.from('abc')
      // What stands in the way is told by the next attempt.
      const sent = sender.trySendBatch(payloads, Int32Array.of(0, 1, 1, 1, 2, 1))
      for (let index = sent; index < 3; index++) sender.trySend(payloads.subarray(index, index + 1))
      await received(3)
    },
  },
  'a socket is closed with unread messages': {
    run(defer) {
      const { sender, receiver } = inbox(defer)
      receiver.pause()
      for (let index = 0; index < 3; index++) sender.trySend(Buffer.from('x'), { fds: [0, 1] })
    },
  },
  'a socket is closed in onMessages': {
    async run(defer) {
      const socket = opened(defer, new DatagramSocket('unix'))
      socket.bind({ family: 'unix' })
      const address = describeSocket(socket.fd).localAddress
      const sender = opened(defer, new DatagramSocket('unix'))
      await settled((resolve, reject) => {
        const onMessages = (batch) => {
          socket.close()
          for (const { fds } of batch) closeForeignFds(fds)
          resolve()
        }
        socket.receive({ onMessages, onError: reject })
        if (!sender.trySend(Buffer.from('x'), { address, fds: [0] })) resolve()
      })
    },
  },
  'a pipe is watched': {
    async run(defer) {
      const { readFd, writeFd } = openPipe(defer)
      for (const [fd, interest] of [
        [writeFd, 'writable'],
        [readFd, 'readable'],
      ]) {
        await settled((resolve) => {
          const watcher = new FdWatcher(fd, resolve)
          defer(() => watcher.close())
          watcher.arm(interest)
          if (interest === 'readable') closeFdOnce(writeFd)
        })
      }
    },
  },
  'foreign descriptors are closed': {
    run(defer) {
      const fds = Array.from({ length: 5 }, () => openSync('/dev/null'))
      defer(() => closeForeignFds(fds))
    },
  },
  'listening sockets are made': {
    run(defer) {
      for (const options of [
        { type: 'stream', address: { family: 'inet', address: '127.0.0.1', port: 0 } },
        { type: 'seqpacket', address: { family: 'unix', abstract: uniqueName() } },
        { type: 'dgram', address: { family: 'unix', path: uniquePath(defer) } },
      ]) {
        const fd = bindSocket(options)
        defer(() => closeFd(fd))
        describeSocket(fd)
        socketCookie(fd)
      }
    },
  },
  'sockets are adopted': {
    async run(defer) {
      const address = { family: 'unix', abstract: uniqueName() }
      const fd = bindSocket({ type: 'stream', address })
      listenerOn(defer, fd, () => {})
      const client = opened(defer, await connectSocket({ type: 'stream', address }))
      takenOver(defer, duplicateFd(client.fd), adoptConnection)
      const datagrams = bindSocket({ type: 'dgram', address: { family: 'unix' } })
      takenOver(defer, datagrams, (each) => DatagramSocket.adopt(each))
    },
  },
  'a message queue is sent to and received from': {
    async run(defer) {
      const fd = await openMessageQueue()
      const queue = takenOver(defer, fd, (each) => new MessageQueue(each))
      const data = Buffer.from('x')
      let sent = 0
      while (queue.trySend(data)) sent++
      await settled((resolve, reject) => {
        let received = 0
        queue.onceWritable(() => {})
        const onMessages = (batch) => {
          received += batch.length
          if (received >= sent) resolve()
        }
        queue.receive({ onMessages, onError: reject })
        if (sent === 0) resolve()
      })
    },
  },
  'a path that is too long for an address is used': {
    run(defer) {
      const path = `${tmpdir()}${'/.'.repeat(60)}/${uniqueName()}`
      const socket = opened(defer, new DatagramSocket('unix'))
      defer(() => remove(path))
      socket.bind({ family: 'unix', path })
      opened(defer, new DatagramSocket('unix')).connect({ family: 'unix', path })
    },
  },
  'a stale socket file is removed': {
    run(defer) {
      const path = uniquePath(defer)
      closeFd(bindSocket({ type: 'dgram', address: { family: 'unix', path } }))
      removeStaleSocketFile(path)
    },
  },
  'flags are changed': {
    run(defer) {
      const { readFd } = openPipe(defer)
      setCloexec(readFd, !isCloexec(readFd))
      setNonBlocking(readFd, !isNonBlocking(readFd))
    },
  },
  'a descriptor is duplicated': {
    run(defer) {
      const duplicate = duplicateFd(openPipe(defer).readFd)
      defer(() => closeFd(duplicate))
    },
  },
  'descriptors are compared': {
    run(defer) {
      const { readFd, writeFd } = openPipe(defer)
      // What fails must not make another answer.
      if (isSameDescription(readFd, readFd) === false) throw new Error('not the same as itself')
      if (isSameDescription(readFd, writeFd) === true) throw new Error('the same as the other end')
    },
  },
  'the clock is read': {
    run() {
      monotonicUsec()
    },
  },
  'a process is named': {
    run(defer) {
      const pidfd = pidfdOpen(process.pid)
      defer(() => closeFd(pidfd))
      pidfdId(pidfd)
    },
  },
  'a send buffer is raised': {
    run(defer) {
      opened(defer, new DatagramSocket('unix')).raiseSendBuffer(1_000_000)
    },
  },
  ...Object.fromEntries(
    ['stream', 'seqpacket'].map((type) => [
      `a ${type} connection is made, used and ended`,
      { run: (defer) => converse(defer, type) },
    ]),
  ),
  'a child is signalled and waited for': {
    async run(defer) {
      const child = spawn('sleep', ['60'])
      defer(() => child.kill('SIGKILL'))
      const exited = once(child, 'exit')
      const pidfd = pidfdOpen(child.pid)
      defer(() => closeFd(pidfd))
      pidfdPid(pidfd)
      sendSignal(pidfd, 'SIGKILL')
      await waitForExit(pidfd)
      await exited
    },
  },
  'orphans are adopted': {
    run(defer) {
      defer(() => setSubreaper(false))
      setSubreaper(!isSubreaper())
    },
  },
  'the limit of descriptors is changed': {
    run() {
      withSoftFileLimit(getFileLimit().soft - 1, () => {})
    },
  },
  'a real-time signal is caught': {
    async run(defer) {
      const keepAlive = setInterval(() => {}, 1000)
      defer(() => clearInterval(keepAlive))
      await settled((resolve) => {
        const watcher = new SignalWatcher('SIGRTMIN+3', resolve)
        defer(() => watcher.close())
        process.kill(process.pid, signalNumber('SIGRTMIN+3'))
      })
    },
  },
  'a program that is not there is executed': {
    run(defer) {
      const { readFd, writeFd } = openPipe(defer)
      try {
        // Its streams too: what is changed of ours, and cannot be changed back, would stay.
        execve('/nonexistent', [], { fds: { 0: readFd, 1: writeFd, 2: writeFd, 9: readFd } })
      } catch (error) {
        if (error.code !== 'ENOENT') throw error
      }
    },
  },
  'pids and times are translated': {
    run(defer) {
      const namespace = openPidNamespace(process.pid)
      defer(() => closeFd(namespace))
      pidInNamespace(namespace, process.pid)
      pidFromNamespace(namespace, 1)
      monotonicOffset(process.pid)
    },
  },
  'descriptors are told by their kind': {
    run(defer) {
      const { readFd } = openPipe(defer)
      const file = openSync(import.meta.filename)
      defer(() => closeFd(file))
      for (const fd of [readFd, file]) kindOfFd(fd)
    },
  },
  'the first message of a process is received': {
    fresh: ['calloc', 'epoll_create1', 'eventfd2', 'epoll_ctl', 'pthread_create'],
    async run(defer) {
      const { send, received } = inbox(defer)
      await send('x', [0])
      await received(1)
    },
  },
  'the first descriptors of a process are closed on a thread': {
    fresh: ['malloc', 'calloc', 'pthread_create', 'close'],
    run(defer) {
      const fds = Array.from({ length: 5 }, () => openSync('/dev/null'))
      defer(() => {
        try {
          closeForeignFds(fds)
        } catch (error) {
          // Without a binary, nothing was closed.
          for (const fd of fds) closeSync(fd)
          throw error
        }
      })
    },
  },
  'a Worker ends with live sockets': {
    fresh: ['write', 'close', 'ppoll', 'calloc', 'epoll_ctl', 'eventfd2', 'pthread_create'],
    async run(defer) {
      const worker = new Worker(new URL('live-sockets.mjs', import.meta.url))
      defer(() => worker.terminate())
      const told = await settled((resolve, reject) => {
        worker.once('message', resolve).once('error', reject)
      })
      if (told !== 'ready') throw Object.assign(new Error(told.message), told)
    },
  },
}

/** A connection over which a descriptor goes one way, until the other end hears of the end. */
async function converse(defer, type) {
  const address = { family: 'unix', abstract: uniqueName() }
  const fd = bindSocket({ type, address })
  let arrived
  let onArrival = () => {}
  listenerOn(defer, fd, (...arrival) => {
    arrived ??= arrival
    onArrival()
  })
  const client = opened(defer, await connectSocket({ type, address }))
  await settled((resolve) => (arrived === undefined ? (onArrival = resolve) : resolve()))
  const [error, server] = arrived
  if (error !== undefined) throw error
  const pidfd = server.peerPidfd()
  if (pidfd !== undefined) defer(() => closeFd(pidfd))
  if (server.peer.pid !== process.pid) throw new Error('not our own pid')
  await settled((resolve, reject) => {
    server.receive({
      onMessages: (batch) => batch.forEach(({ fds }) => closeForeignFds(fds)),
      onEnd: resolve,
      onError: reject,
    })
    client.trySend(Buffer.from('x'), { fds: [0] })
    client.endSending()
  })
}

function listenerOn(defer, fd, onArrival) {
  const onConnection = (connection) => onArrival(undefined, opened(defer, connection))
  const options = { onConnection, onError: onArrival }
  return takenOver(defer, fd, () => new ConnectionListener(fd, options))
}

/** Takes the descriptor over, or closes it. */
function takenOver(defer, fd, take) {
  try {
    return opened(defer, take(fd))
  } catch (error) {
    closeFd(fd)
    throw error
  }
}

/** A promise that fails with the process's uncaught exceptions too: what no callback is there for ends there. */
export async function settled(start) {
  let onUncaught
  try {
    return await new Promise((resolve, reject) => {
      onUncaught = (error) => reject(Object.assign(error, { uncaught: true }))
      process.once('uncaughtException', onUncaught)
      start(resolve, reject)
    })
  } finally {
    process.removeListener('uncaughtException', onUncaught)
  }
}

/** A socket that receives and closes what comes, and one that sends to it. */
function inbox(defer, options = {}) {
  const socket = opened(defer, new DatagramSocket('unix'))
  socket.bind({ family: 'unix' })
  const sender = opened(defer, new DatagramSocket('unix'))
  sender.connect(describeSocket(socket.fd).localAddress)
  let count = 0
  let failure
  let wake = () => {}
  const receiver = socket.receive({
    ...options,
    onMessages(batch) {
      count += batch.length
      wake()
      for (const { fds, pidfd } of batch)
        closeForeignFds(pidfd === undefined ? fds : [...fds, pidfd])
    },
    onError(error) {
      failure = error
      wake()
    },
  })
  /** Waits for `isDone`, or for what `start` starts; a receiver that failed would let it wait for ever. */
  async function until(isDone, start = () => {}) {
    await settled((resolve, reject) => {
      wake = () => {
        if (failure !== undefined) reject(failure)
        else if (isDone()) resolve()
      }
      wake()
      start(resolve)
    })
  }
  const received = (wanted) => until(() => count >= wanted)
  const room = (afterwards = () => {}) =>
    until(never, (resolve) => {
      sender.onceWritable(resolve)
      afterwards()
    })
  async function send(text, fds) {
    while (!sender.trySend(Buffer.from(text), { fds })) await room()
  }
  return { sender, send, room, receiver, received }
}

function never() {
  return false
}

function opened(defer, socket) {
  defer(() => socket.close())
  return socket
}

const closed = new Set()

function openPipe(defer) {
  const ends = pipe()
  for (const fd of Object.values(ends)) {
    closed.delete(fd)
    defer(() => closeFdOnce(fd))
  }
  return ends
}

function closeFdOnce(fd) {
  if (closed.has(fd)) return
  closed.add(fd)
  closeSync(fd)
}

let names = 0

function uniqueName() {
  return Buffer.from(`sdbridge-fail-${process.pid}-${names++}`)
}

function uniquePath(defer) {
  const path = join(tmpdir(), `${uniqueName()}`)
  defer(() => remove(path))
  return path
}

function remove(path) {
  try {
    unlinkSync(path)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}
