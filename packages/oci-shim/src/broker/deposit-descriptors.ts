import type { Connection } from '@sdbridge/syscalls'
import type { Descriptors } from './ask-for-descriptors.js'
import { decodeReceipt, type Deposit, encode } from './broker-message.js'
import { connectToBroker } from './connect-to-broker.js'
import { sendDescriptors } from './send-descriptors.js'

const ANSWER_MS = 10_000

/**
 * Has the daemon keep the descriptors of a unit for the runtime of its container, which asks for them as it would ask the unit's own bridge. They stay the
 * caller's.
 *
 * @param path Where the daemon listens for it.
 * @throws Error that says what was expected, what was found and what to do.
 */
export async function depositDescriptors(
  path: string,
  { fds, names }: Descriptors,
  facts: Omit<Deposit, 'version' | 'names'>,
): Promise<void> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  const connection = await connectToBroker(
    { path, who: 'sdbridge daemon', remedy: 'systemctl start sdbridge.socket' },
    signal,
  )
  try {
    await receiptFor(connection, encode({ version: 1, ...facts, names }), fds, signal)
  } catch (error) {
    throw new Error(
      `sdbridge daemon does not take the unit's descriptors: ${(error as Error).message}`,
      { cause: error },
    )
  } finally {
    connection.close()
  }
}

function receiptFor(
  connection: Connection,
  deposit: Buffer,
  fds: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () =>
      reject(new Error(`no answer in ${ANSWER_MS / 1000} s: see its log`)),
    )
    connection.receive({
      onMessages: ([message]) => {
        try {
          decodeReceipt(message!.data)
          resolve()
        } catch (error) {
          reject(error as Error)
        }
      },
      onEnd: () => reject(new Error('it has gone without an answer: see its log')),
      onError: reject,
    })
    try {
      sendDescriptors(connection, deposit, fds)
    } catch {
      // It has sent us away at once; its answer, or the end, tells that.
    }
  })
}
