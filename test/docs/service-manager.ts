import { closeForeignFds } from '@sdbridge/syscalls'
import { type Notification, NotifyReceiver } from '@sdbridge/notify/receiver'
import { encodeMessage } from '../../packages/notify/src/encode-message.js'

/** A message as it is on the wire. */
export interface Said {
  readonly lines: readonly string[]
  readonly fdCount: number
}

/** As much of a service manager as an example needs: it hears what is said, and keeps the descriptors that are to be stored. */
export class ServiceManager {
  readonly #said: Said[] = []
  readonly #wrong: string[] = []
  readonly #stored: { readonly name: string; readonly fd: number }[] = []
  readonly #receiver: NotifyReceiver

  /** @param address A path, which every way of sending can reach. */
  constructor(address: string) {
    this.#receiver = new NotifyReceiver({
      address,
      onNotification: (notification) => this.#hear(notification),
      onRejected: ({ reason, data }) =>
        this.#wrong.push(`${String(data)} (thrown away: ${reason})`),
    })
  }

  get address(): string {
    return this.#receiver.address
  }

  /** What arrived that nobody has asked for yet; a ping may come at any time and is not among it. */
  get unheard(): readonly string[] {
    return [...this.#said.filter((said) => !isPing(said)).map(textOf), ...this.#wrong]
  }

  /** The next message, or the next ping; `undefined` if there is none yet. */
  next(wantsPing: boolean): Said | undefined {
    const index = this.#said.findIndex((said) => isPing(said) === wantsPing)
    return index === -1 ? undefined : this.#said.splice(index, 1)[0]
  }

  /** Reads what has arrived already. */
  readNow(): void {
    this.#receiver.readNow()
  }

  /** The stored descriptors, newest first as systemd hands them back. They stay the manager's. */
  get stored(): readonly { readonly name: string; readonly fd: number }[] {
    return this.#stored.toReversed()
  }

  close(): void {
    this.#receiver.close()
    closeForeignFds(this.#stored.map(({ fd }) => fd))
  }

  #hear(notification: Notification): void {
    const { assignments, unknown, problems, fdCount } = notification
    this.#wrong.push(...unknown, ...problems.map((problem) => JSON.stringify(problem)))
    this.#said.push({
      lines: encodeMessage(assignments, fdCount).toString().split('\n'),
      fdCount,
    })
    const { fdStore, fdStoreRemove, fdName: name = 'stored' } = assignments
    if (fdStore) this.#stored.push(...notification.takeFds().map((fd) => ({ name, fd })))
    if (fdStoreRemove) this.#remove(name)
  }

  #remove(name: string): void {
    const kept = this.#stored.filter((stored) => stored.name !== name)
    closeForeignFds(this.#stored.filter((stored) => stored.name === name).map(({ fd }) => fd))
    this.#stored.splice(0, this.#stored.length, ...kept)
  }
}

/** As in a direction of an example. */
export function textOf({ lines, fdCount }: Said): string {
  const descriptors =
    fdCount === 0 ? [] : [`${fdCount} ${fdCount === 1 ? 'descriptor' : 'descriptors'}`]
  return [...lines, ...descriptors].join(', ')
}

function isPing({ lines }: Said): boolean {
  return lines.length === 1 && lines[0] === 'WATCHDOG=1'
}
