import { native } from './native.js'
import { SO_PASSCRED, SOL_SOCKET } from './socket-facts.js'
import { check } from './system-error.js'

const EOPNOTSUPP = -95

/**
 * Lets the kernel name the sender of each message (unix(7), SO_PASSCRED). It notes that when a message is sent, so this comes before
 * anybody can send.
 */
export function passCredentials(fd: number): void {
  const result = native().setsockopt(fd, SOL_SOCKET, SO_PASSCRED, 1)
  // Other families, such as vsock, name no sender. Kernels from 6.16 on say so.
  if (result !== EOPNOTSUPP) check(result, 'setsockopt')
}
