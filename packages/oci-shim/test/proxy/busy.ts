import { DatagramSocket } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'

/** Sends to a manager that does not read until the kernel's queue is full; returns how many messages that took. */
export function fillQueue(path: string): number {
  const socket = new DatagramSocket('unix')
  onTestFinished(() => socket.close())
  socket.connect({ family: 'unix', path })
  let count = 0
  while (socket.trySend(Buffer.from(`X_FILL=${count}`))) count++
  return count
}
