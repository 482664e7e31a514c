// Takes inherited vsock sockets over: a listening one of each type, and connections that were accepted, whose other end may
// have gone already. Prints a line of JSON for each type.
import { setTimeout as delay } from 'node:timers/promises'
import {
  adoptConnection,
  bindSocket,
  closeFd,
  ConnectionListener,
  connectSocket,
  describeSocket,
  FdWatcher,
  isCloexec,
  isNonBlocking,
  setCloexec,
  setNonBlocking,
} from '@sdbridge/syscalls'
import { native } from './node_modules/@sdbridge/syscalls/dist/native.js'

const ANY_CID = 0xffff_ffff
const ANY_PORT = 0xffff_ffff
const LOCAL_CID = 1

for (const type of ['stream', 'seqpacket']) {
  const outcome = {
    type,
    listener: await throughListener(type),
    connection: await throughAccepted(type, 'hello', (client) => client.endSending()),
    gone: await throughAccepted(type, 'hello', (client) => client.close()),
    goneSilently: await throughAccepted(type, '', (client) => client.close()),
  }
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}

async function throughListener(type) {
  const { fd, address } = listen(type)
  let listener
  const accepted = new Promise((resolve, reject) => {
    listener = new ConnectionListener(fd, { onConnection: resolve, onError: reject })
  })
  const flags = [isCloexec(fd), isNonBlocking(fd)]
  const client = await connectSocket({ type, address })
  client.trySend(Buffer.from('hello'))
  client.endSending()
  const received = await allOf(await accepted)
  client.close()
  listener.close()
  return { flags, ...received }
}

async function throughAccepted(type, text, end) {
  const { fd: listener, address } = listen(type)
  const readable = new Promise((resolve) => {
    const watcher = new FdWatcher(listener, () => {
      watcher.close()
      resolve()
    })
    watcher.arm('readable')
  })
  const client = await connectSocket({ type, address })
  await readable
  const fd = native().accept(listener, 0)
  if (text !== '') client.trySend(Buffer.from(text))
  end(client)
  // Nothing tells that its end has arrived.
  await delay(500)
  const received = await allOf(adoptConnection(fd))
  client.close()
  closeFd(listener)
  return received
}

/** What arrives until the end. */
async function allOf(connection) {
  const data = []
  const senders = new Set()
  const end = await new Promise((resolve) => {
    connection.receive({
      onMessages: (batch) => {
        for (const message of batch) {
          data.push(message.data)
          senders.add(message.sender?.pid ?? 'none')
        }
      },
      onEnd: () => resolve('end'),
      onError: ({ code }) => resolve(code),
    })
  })
  connection.close()
  return { text: Buffer.concat(data).toString(), senders: [...senders], end }
}

/** As a service manager leaves it. */
function listen(type) {
  const address = { family: 'vsock', cid: ANY_CID, port: ANY_PORT }
  const fd = bindSocket({ type, address })
  setCloexec(fd, false)
  setNonBlocking(fd, false)
  const { port } = describeSocket(fd).localAddress
  return { fd, address: { family: 'vsock', cid: LOCAL_CID, port } }
}
