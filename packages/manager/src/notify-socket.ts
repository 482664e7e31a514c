import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Notification, NotifyReceiver, type Rejection } from '@sdbridge/notify/receiver'

/** The manager's notify socket, in a directory that only this user can enter. */
export class NotifySocket {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sdbridge-manager-'))
  readonly #receiver: NotifyReceiver

  constructor(
    onNotification: (notification: Notification) => void,
    onRejected: (rejection: Rejection) => void,
    onError: (error: Error) => void,
  ) {
    try {
      const address = join(this.#directory, 'notify')
      this.#receiver = new NotifyReceiver({ address, onNotification, onRejected, onError }).unref()
    } catch (error) {
      this.#removeDirectory()
      throw error
    }
  }

  get address(): string {
    return this.#receiver.address
  }

  /** Hands out at once what has arrived: a message counts before the end, or the time-out, that followed it. */
  readNow(): void {
    this.#receiver.readNow()
  }

  close(): void {
    this.#receiver.close()
    this.#removeDirectory()
  }

  #removeDirectory(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
