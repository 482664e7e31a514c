import { chmodSync, rmSync } from 'node:fs'
import { DatagramSocket } from '@sdbridge/syscalls'

/**
 * Binds a container's socket in its directory, in place of what an earlier container had there: its directory is nobody else's.
 *
 * @throws SystemError
 */
export function bindContainerSocket(path: string): DatagramSocket {
  const socket = new DatagramSocket('unix')
  try {
    rmSync(path, { force: true })
    socket.bind({ family: 'unix', path })
    // Any user of the container may send; who may reach it is decided by the directory and the mounts.
    chmodSync(path, 0o777)
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}
