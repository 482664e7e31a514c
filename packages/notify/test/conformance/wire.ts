import { readFileSync } from 'node:fs'
import {
  closeForeignFds,
  DatagramSocket,
  describeSocket,
  kindOfFd,
  type ReceivedMessage,
} from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'
import { formatNotifyAddress } from '../../src/address.js'

/** One message, as the kernel handed it over. */
export interface WireMessage {
  data: Buffer
  /** What each descriptor is and how it was opened, such as `pipe, write`. */
  fds: string[]
  sender: { pid: number; uid: number; gid: number }
}

/** A notify socket of a test, with no parser behind it. It closes all descriptors at once, which answers barriers. */
export class Wire {
  readonly env: { NOTIFY_SOCKET: string }
  readonly messages: WireMessage[] = []

  constructor() {
    const socket = new DatagramSocket('unix')
    onTestFinished(() => socket.close())
    socket.bind({ family: 'unix' })
    const onMessages = (batch: ReceivedMessage[]): void => {
      for (const { data, fds, sender } of batch) {
        this.messages.push({ data, fds: fds.map(describe), sender: sender! })
        closeForeignFds(fds)
      }
    }
    const onError = (error: Error): void => {
      throw error
    }
    socket.receive({ onMessages, onError, maxBytes: 1 << 16 })
    const { localAddress } = describeSocket(socket.fd)!
    const name = Buffer.from((localAddress as { abstract: Uint8Array }).abstract).toString()
    this.env = { NOTIFY_SOCKET: formatNotifyAddress({ kind: 'unix-abstract', name }) }
  }

  /** Waits for so many messages, and takes them. */
  async take(count: number): Promise<WireMessage[]> {
    while (this.messages.length < count) await new Promise((resolve) => setTimeout(resolve, 1))
    return this.messages.splice(0)
  }

  /** Waits for one message. */
  async takeOne(): Promise<WireMessage> {
    const [message, ...others] = await this.take(1)
    if (others.length > 0) throw new Error(`${others.length} more messages came`)
    return message!
  }
}

const ACCESS_MODES = ['read', 'write', 'both']

function describe(fd: number): string {
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
  const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)![1]!, 8)
  return `${kindOfFd(fd)}, ${ACCESS_MODES[flags & 3]}`
}
