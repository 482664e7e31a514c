/** How many messages are taken at once: few, as a process that is killed takes them along, and so that a flood starves nobody. */
export const MESSAGES_PER_BATCH = 64

let memory = Buffer.alloc(0)

/**
 * Where payloads are received: it is filled and copied from within one call, so that everybody shares it.
 *
 * @param mostBytes How long a payload can be; there is room for more than one.
 */
export function payloadMemory(mostBytes: number): Buffer {
  const size = 65_536 + mostBytes
  if (memory.length < size) memory = Buffer.allocUnsafeSlow(size)
  return memory
}
