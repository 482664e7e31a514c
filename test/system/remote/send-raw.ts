import type { RemoteProcess } from './remote-process.js'

/** Has a process send what `notify()` would not: any bytes as one notification, each character one byte. */
export function sendRaw(process: RemoteProcess, message: string): Promise<boolean> {
  return process.run(({ syscalls }, text) => {
    const socket = new syscalls.DatagramSocket('unix')
    socket.connect({ family: 'unix', path: globalThis.process.env['NOTIFY_SOCKET']! })
    const sent = socket.trySend(Buffer.from(text, 'latin1'))
    socket.close()
    return sent
  }, message)
}
