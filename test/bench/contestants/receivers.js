import { requireRival } from '../../support/rivals.js'

/** @type {Record<string, (path: string, onReceived: (messages: number) => void) => Promise<void> | void>} */
export const receivers = {
  async DatagramSocket(path, onReceived) {
    const { DatagramSocket } = await import('@sdbridge/syscalls')
    const socket = new DatagramSocket('unix')
    socket.bind({ family: 'unix', path })
    socket.receive({ onMessages: (batch) => onReceived(batch.length), onError: fail })
  },

  async NotifyReceiver(path, onReceived) {
    const { NotifyReceiver } = await import('@sdbridge/notify/receiver')
    // oxlint-disable-next-line no-new
    new NotifyReceiver({
      address: path,
      onNotification: () => onReceived(1),
      onRejected: fail,
      onError: fail,
    })
  },

  'unix-dgram'(path, onReceived) {
    const socket = requireRival('unix-dgram').createSocket('unix_dgram', () => onReceived(1))
    socket.on('error', fail)
    socket.bind(path)
  },
}

/** @param {unknown} reason */
function fail(reason) {
  throw reason
}
