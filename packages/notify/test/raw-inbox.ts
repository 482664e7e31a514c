import { closeForeignFds, DatagramSocket } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'

/** A manager's socket for one test that keeps the bytes that it gets, and answers barriers without a word. */
export class RawInbox {
  readonly path: string
  readonly messages: { text: string; pid: number | undefined }[] = []
  readonly #socket: DatagramSocket
  readonly #receiver: ReturnType<DatagramSocket['receive']>

  constructor(path: string) {
    this.path = path
    this.#socket = new DatagramSocket('unix')
    this.#receiver = this.#socket.receive({
      onMessages: (batch) => {
        for (const { data, fds, sender } of batch) {
          closeForeignFds(fds)
          const text = data.toString()
          if (text !== 'BARRIER=1') this.messages.push({ text, pid: sender?.pid })
        }
      },
      onError: (error) => {
        throw error
      },
    })
    this.#socket.bind({ family: 'unix', path })
    onTestFinished(() => this.close())
  }

  get env(): { NOTIFY_SOCKET: string } {
    return { NOTIFY_SOCKET: this.path }
  }

  get texts(): string[] {
    return this.messages.map(({ text }) => text)
  }

  async until(count: number): Promise<void> {
    while (this.messages.length < count) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  pause(): void {
    this.#receiver.pause()
  }

  resume(): void {
    this.#receiver.resume()
  }

  /** Ends as a manager that is killed: its file stays. */
  close(): void {
    if (this.#socket.fd !== -1) this.#socket.close()
  }
}
