import { DatagramSocket, describeSocket } from '@sdbridge/syscalls'
import { BridgeError } from '../run/bridge-error.js'

/**
 * Sends a message to itself in another process' name, as it will for units.
 *
 * @throws BridgeError if that is not allowed.
 */
export function checkPrivileges(): void {
  const receiver = new DatagramSocket('unix')
  const sender = new DatagramSocket('unix')
  try {
    receiver.bind({ family: 'unix' })
    const { localAddress } = describeSocket(receiver.fd)!
    sender.connect(localAddress)
    const credentials = { pid: 1, uid: process.getuid!(), gid: process.getgid!() }
    sender.trySend(Buffer.from('?'), { credentials })
  } catch (error) {
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `the daemon must be root, with CAP_SYS_ADMIN in the host's user namespace, to speak in the name of units' main processes: ${(error as Error).message}`,
      { cause: error },
    )
  } finally {
    sender.close()
    receiver.close()
  }
}
