import { DatagramSocket } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'

/**
 * Sends to a manager that does not read until the kernel's queue is full; returns how many messages that took. Where the queue is long
 * (`net.unix.max_dgram_qlen` is 512 under systemd), one sender's buffer is full before.
 */
export function fillQueue(path: string): number {
  let count = 0
  for (let before = -1; before !== count;) {
    before = count
    const socket = new DatagramSocket('unix')
    onTestFinished(() => socket.close())
    socket.connect({ family: 'unix', path })
    while (socket.trySend(Buffer.from(`X_FILL=${count}`))) count++
  }
  return count
}
