import { BatchReceiver } from './batch-receiver.js'
import { native } from './native.js'
import { MESSAGES_PER_BATCH, payloadMemory } from './payload-memory.js'
import { queueError } from './queue-error.js'
import { EAGAIN, type SystemError } from './system-error.js'

/** One message of a POSIX message queue. */
export interface QueueMessage {
  /** The payload; an empty message is one too. */
  data: Buffer
  /** From 0 to 32767, as it was sent. */
  priority: number
}

export interface QueueOptions {
  /** Called with what has arrived, highest priority first and then oldest first, at most 64 messages at a time. */
  onMessages: (batch: QueueMessage[]) => void
  /**
   * Called when receiving fails, such as with `EBADF` because the queue was opened for sending only; nothing is received after
   * that.
   */
  onError: (error: SystemError) => void
}

/** Of native/glue-mqueue.c: offset, length, priority. */
const RECORD = 3

// Filled and read within one call, so all queues share them.
const records = new Int32Array(1 + RECORD * MESSAGES_PER_BATCH)

/** The receiving half of a message queue. */
export class QueueReceiver extends BatchReceiver {
  readonly #fd: number
  readonly #messageBytes: number
  readonly #options: QueueOptions

  /** Made by `receive` of a `MessageQueue`. */
  constructor(fd: number, messageBytes: number, options: QueueOptions, onResume: () => void) {
    super(onResume)
    this.#fd = fd
    this.#messageBytes = messageBytes
    this.#options = options
  }

  readBatch(): number {
    if (!this.waiting) return 0
    const most = this.#messageBytes
    const payloads = payloadMemory(most)
    const count = native().mqReceive(this.#fd, payloads, records, MESSAGES_PER_BATCH, most)
    const error = records[0]!
    const batch = Array.from({ length: count }, (_, index) =>
      messageAt(1 + RECORD * index, payloads),
    )
    try {
      if (count > 0) this.#options.onMessages(batch)
    } finally {
      if (error !== 0 && error !== EAGAIN) this.#fail(error)
    }
    return count
  }

  #fail(error: number): void {
    if (this.stopped) return
    this.stop()
    this.#options.onError(queueError(error, 'mq_timedreceive', this.#fd, 'sending'))
  }
}

function messageAt(index: number, payloads: Buffer): QueueMessage {
  const offset = records[index]!
  const data = Buffer.from(payloads.subarray(offset, offset + records[index + 1]!))
  return { data, priority: records[index + 2]! }
}
