import { join } from 'node:path'
import { type Notification, NotifyReceiver, type Rejection } from '@sdbridge/notify/receiver'
import { closeForeignFds, DatagramSocket } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'
import { type Drop, NotifyProxy, type NotifyProxyOptions } from '../../src/index.js'

/** A proxy for one test between a manager's end, which keeps what it gets, and a payload's. */
export class Bench {
  readonly directory = temporaryDirectory()
  readonly proxy: NotifyProxy
  readonly drops: Drop[] = []
  readonly forwarded: unknown[] = []
  readonly notifications: Notification[] = []
  readonly rejections: Rejection[] = []
  /** Of all notifications, in order. Closed with the test. */
  readonly fds: number[] = []
  readonly path: string = join(this.directory, 'notify.sock')
  readonly managerPath: string = join(this.directory, 'manager.sock')
  manager: NotifyReceiver | undefined
  #payload: DatagramSocket | undefined

  /** @param options Without `upstream`, that of the manager that this starts. */
  constructor(options: Partial<NotifyProxyOptions> = {}) {
    if (!('upstream' in options)) this.startManager()
    this.proxy = new NotifyProxy({
      path: this.path,
      upstream: this.managerPath,
      onDropped: (drop) => this.drops.push(drop),
      onForwarded: (assignments) => this.forwarded.push(assignments),
      ...options,
    })
    onTestFinished(() => {
      this.proxy.close()
      this.#payload?.close()
      this.manager?.close()
      closeForeignFds(this.fds)
    })
  }

  /** As a manager that has just started: it answers barriers. */
  startManager(): void {
    this.manager = new NotifyReceiver({
      address: this.managerPath,
      onNotification: (notification) => {
        this.fds.push(...notification.takeFds())
        this.notifications.push(notification)
      },
      onRejected: (rejection) => this.rejections.push(rejection),
    })
  }

  /** Sends as the payload does: where the container socket is full, it waits. */
  async send(message: string | Uint8Array, fds: readonly number[] = []): Promise<void> {
    while (!this.trySend(message, fds)) {
      await new Promise<void>((resolve) => this.payload.onceWritable(resolve))
    }
  }

  /** Returns `false` where it would have to wait. */
  trySend(message: string | Uint8Array, fds: readonly number[] = []): boolean {
    const data = typeof message === 'string' ? Buffer.from(message) : message
    return this.payload.trySend(data, fds.length > 0 ? { fds } : {})
  }

  get payload(): DatagramSocket {
    if (this.#payload === undefined) {
      this.#payload = new DatagramSocket('unix')
      this.#payload.connect({ family: 'unix', path: this.path })
    }
    return this.#payload
  }

  /** What the manager was told, when all that was sent has gone there. */
  async said(): Promise<unknown[]> {
    await this.proxy.idle()
    this.manager?.readNow()
    return this.notifications.map(({ assignments }) => assignments)
  }

  /** Why something was dropped so far: the reason, and the field if it was one. */
  get reasons(): string[] {
    return this.drops.map(({ field, reason }) =>
      field === undefined ? reason : `${field}: ${reason}`,
    )
  }
}

/** Waits for what must come; the test's timeout is the limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}
