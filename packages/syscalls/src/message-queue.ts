import { adoptFd } from './adopt-fd.js'
import { kindOfFd } from './fd-kind.js'
import { MessageEndpoint } from './message-endpoint.js'
import { native } from './native.js'
import { queueError } from './queue-error.js'
import { type QueueOptions, QueueReceiver } from './queue-receiver.js'
import { check, EAGAIN, invalid } from './system-error.js'

/** What a message queue is like. */
export interface MessageQueueAttributes {
  /** How many messages it holds; senders wait for room after that. */
  maxMessages: number
  /** The longest message that it takes, in bytes. */
  messageBytes: number
  /** How many messages are in it now. */
  currentMessages: number
}

const EBADF = -9
/** MQ_PRIO_MAX - 1 */
const HIGHEST_PRIORITY = 32_767

/**
 * A POSIX message queue (mq_overview(7)) that was inherited or opened elsewhere. It keeps the process alive only while it
 * receives or waits for room.
 */
export class MessageQueue extends MessageEndpoint {
  /**
   * @param fd Taken over, close-on-exec and non-blocking: `close` closes it, and so does the end of this thread. It is of use for
   *   what it was opened for: receiving, sending or both.
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for anything but a message queue; SystemError, such as `ENOSYS` on a kernel without
   *   them. It then stays the caller's.
   */
  constructor(fd: number) {
    expectQueue(fd)
    adoptFd(fd)
    super(fd)
  }

  /** What it was made with, and how full it is. */
  get attributes(): MessageQueueAttributes {
    return attributesOf(this.fd)
  }

  /**
   * Sends one message without waiting.
   *
   * @param options `priority`, from 0 (the default) to 32767: those of the highest are received first.
   * @returns `false` if the queue is full: nothing was sent, try again when `onceWritable` calls.
   * @throws SystemError, such as `EMSGSIZE` (longer than `messageBytes`) or `EBADF` if it was opened for receiving only; RangeError
   *   for another priority.
   */
  trySend(data: Uint8Array, options: { priority?: number } = {}): boolean {
    const { priority = 0 } = options
    if (!Number.isInteger(priority) || priority < 0 || priority > HIGHEST_PRIORITY) {
      const message = `priority must be an integer from 0 to ${HIGHEST_PRIORITY}, not ${priority}`
      throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
    }
    const result = native().mqSend(this.fd, data, priority)
    if (result === EAGAIN) return false
    if (result < 0) throw queueError(result, 'mq_timedsend', this.fd, 'receiving')
    return true
  }

  /** Starts to deliver what arrives, once in the object's life. */
  receive(options: QueueOptions): QueueReceiver {
    return this.startWith('mq_timedreceive', (onResume) => {
      return new QueueReceiver(this.fd, this.attributes.messageBytes, options, onResume)
    })
  }

  protected override closeFd(fd: number): void {
    native().close(fd)
  }
}

function expectQueue(fd: number): void {
  const kind = kindOfFd(fd)
  const result = native().mqAttributes(fd, new Int32Array(3))
  // What is open and no message queue is a bad descriptor to this call.
  if (result === EBADF) {
    throw invalid(`descriptor ${fd} must be a POSIX message queue, and is of kind ${kind}`)
  }
  check(result, 'mq_getsetattr', `fd ${fd}`)
}

function attributesOf(fd: number): MessageQueueAttributes {
  const attributes = new Int32Array(3)
  check(native().mqAttributes(fd, attributes), 'mq_getsetattr', `fd ${fd}`)
  const [maxMessages, messageBytes, currentMessages] = attributes
  return {
    maxMessages: maxMessages!,
    messageBytes: messageBytes!,
    currentMessages: currentMessages!,
  }
}
