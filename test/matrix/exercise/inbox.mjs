import { DatagramSocket } from '@sdbridge/syscalls'

let names = 0

/** An abstract name of this process that was not used yet. */
export function freshAddress() {
  return { family: 'unix', abstract: Buffer.from(`sdbridge-exercise-${process.pid}-${names++}`) }
}

/** A socket that receives: `next()` is a promise of the next message. */
export function inbox(scope, options = {}) {
  const socket = scope.closing(new DatagramSocket('unix'))
  const arrived = []
  const waiting = []
  const receiver = socket.receive({
    ...options,
    onMessages: (batch) => {
      for (const message of batch) {
        if (waiting.length > 0) waiting.shift().resolve(message)
        else arrived.push(message)
      }
    },
    onError: (error) => {
      for (const { reject } of waiting.splice(0)) reject(error)
    },
  })
  const next = () =>
    arrived.length > 0
      ? Promise.resolve(arrived.shift())
      : new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  return { socket, receiver, next }
}

/** Two bound sockets that receive. */
export function pairOf(scope, options) {
  const [here, there] = [inbox(scope, options), inbox(scope, options)]
  const [hereAddress, thereAddress] = [freshAddress(), freshAddress()]
  here.socket.bind(hereAddress)
  there.socket.bind(thereAddress)
  return { here, there, hereAddress, thereAddress }
}
