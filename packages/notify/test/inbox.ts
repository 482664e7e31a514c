import { onTestFinished } from 'vitest'
import { type Notification, NotifyReceiver, type Rejection } from '../src/receiver/index.js'

/** A receiver for one test that keeps what it gets. */
export class Inbox {
  readonly notifications: Notification[] = []
  readonly rejections: Rejection[] = []
  /** Descriptors of all notifications, in order. The test's to close. */
  readonly fds: number[] = []
  readonly receiver: NotifyReceiver

  constructor(address?: string) {
    this.receiver = new NotifyReceiver({
      ...(address !== undefined && { address }),
      onNotification: (notification) => {
        this.fds.push(...notification.takeFds())
        this.notifications.push(notification)
      },
      onRejected: (rejection) => this.rejections.push(rejection),
    })
    onTestFinished(() => this.receiver.close())
  }

  get env(): { NOTIFY_SOCKET: string } {
    return { NOTIFY_SOCKET: this.receiver.address }
  }

  /** What was said, one object for each message; also what has arrived a moment ago, as when its sender has ended. */
  get said(): unknown[] {
    this.receiver.readNow()
    return this.notifications.map(({ assignments }) => assignments)
  }

  /** Waits until so many messages, good and bad, have arrived. */
  async until(count: number): Promise<void> {
    while (this.notifications.length + this.rejections.length < count) {
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}
