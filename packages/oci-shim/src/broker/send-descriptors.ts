import type { Connection } from '@sdbridge/syscalls'
import { MOST_IN_PACKET } from './broker-message.js'

/**
 * Sends descriptors, as many as the kernel takes in each packet: the first packet says what they are, and the others are empty.
 *
 * @throws SystemError; Error if the other end does not take them.
 */
export function sendDescriptors(
  connection: Connection,
  first: Buffer,
  fds: readonly number[],
): void {
  for (let at = 0; at === 0 || at < fds.length; at += MOST_IN_PACKET) {
    const packet = at === 0 ? first : Buffer.from('{}')
    if (connection.trySend(packet, { fds: fds.slice(at, at + MOST_IN_PACKET) }) === undefined)
      throw new Error('it does not take what it has asked for')
  }
}
