import { join } from 'node:path'
import {
  closeForeignFds,
  DatagramSocket,
  type MessageReceiver,
  type ReceivedMessage,
} from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'
import { until } from './bench.js'

/** A manager's socket for one test that keeps what it gets as it came, descriptors and all: it answers no barrier. */
export class RawManager {
  readonly path: string
  readonly messages: ReceivedMessage[] = []
  readonly #socket = new DatagramSocket('unix')
  readonly receiver: MessageReceiver

  constructor(path: string = join(temporaryDirectory(), 'manager.sock')) {
    this.path = path
    this.receiver = this.#socket.receive({
      onMessages: (batch) => this.messages.push(...batch),
      onError: (error) => {
        throw error
      },
    })
    this.#socket.bind({ family: 'unix', path })
    onTestFinished(() => {
      this.close()
      closeForeignFds(this.messages.flatMap(({ fds }) => fds))
    })
  }

  get texts(): string[] {
    return this.messages.map(({ data }) => data.toString())
  }

  async until(count: number): Promise<ReceivedMessage[]> {
    await until(() => this.messages.length >= count)
    return this.messages
  }

  /** Ends as a manager that is killed: its file stays. */
  close(): void {
    this.#socket.close()
  }
}
