import { closeForeignFds, type Connection } from '@sdbridge/syscalls'
import type { DescriptorRequest } from '../engines/descriptor-request.js'
import { decodeAnswer, encode, MOST_BYTES } from './broker-message.js'
import { connectToBroker } from './connect-to-broker.js'
import { whyNotTrusted } from './peer-process.js'

/** Descriptors of a unit, and what its payload is to know them by, in the same order. Whoever gets them owns them. */
export interface Descriptors {
  readonly fds: readonly number[]
  readonly names: readonly string[]
}

const ANSWER_MS = 10_000

/**
 * Asks the bridge of a unit for its descriptors.
 *
 * @throws Error that says what was expected, what was found and what to do.
 */
export async function askForDescriptors({ id, path }: DescriptorRequest): Promise<Descriptors> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  const connection = await connectToBroker(
    {
      path,
      who: "the bridge of the container's unit",
      remedy: 'start the unit, and not its container',
    },
    signal,
  )
  try {
    const reason = whyNotTrusted(connection, () => undefined)
    if (reason !== undefined) throw new Error(`whoever is at ${path} is none: ${reason}`)
    return await answerTo(id, connection, signal)
  } catch (error) {
    throw new Error(`the bridge of the container's unit: ${(error as Error).message}`, {
      cause: error,
    })
  } finally {
    connection.close()
  }
}

function answerTo(id: string, connection: Connection, signal: AbortSignal): Promise<Descriptors> {
  return new Promise((resolve, reject) => {
    const fds: number[] = []
    let names: readonly string[] | undefined
    const giveUp = (reason: Error): void => {
      signal.removeEventListener('abort', onAbort)
      closeForeignFds(fds.splice(0))
      reject(reason)
    }
    const onAbort = (): void => giveUp(new Error(`no answer in ${ANSWER_MS / 1000} s`))
    signal.addEventListener('abort', onAbort)
    connection.receive({
      maxBytes: MOST_BYTES,
      onMessages: (messages) => {
        for (const message of messages) {
          fds.push(...message.fds)
          try {
            if (message.controlTruncated)
              throw new Error('descriptors were lost: raise the limit of open files (LimitNOFILE=)')
            names ??= namesIn(message.data)
          } catch (error) {
            return giveUp(error as Error)
          }
        }
        if (names === undefined || fds.length < names.length) return
        if (fds.length > names.length)
          return giveUp(new Error(`${fds.length} descriptors for ${names.length} names`))
        signal.removeEventListener('abort', onAbort)
        resolve({ fds: fds.splice(0), names })
      },
      onEnd: () => giveUp(new Error('it has gone in the middle of its answer')),
      onError: giveUp,
    })
    try {
      connection.trySend(encode({ version: 1, id }))
    } catch {
      // It has sent us away at once; its answer, or the end, tells that.
    }
  })
}

function namesIn(data: Buffer): readonly string[] {
  const answer = decodeAnswer(data)
  if ('error' in answer) throw new Error(`no descriptors: ${answer.error}`)
  return answer.names
}
