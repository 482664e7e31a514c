import { notify } from '../src/index.js'
import type { Inbox } from './inbox.js'

/**
 * Stops the receiver from reading, and sends until the kernel takes no more, which leaves one message of this function in our own
 * queue, and withdraws that. Returns how many are in the kernel's.
 */
export async function makeBusy(inbox: Inbox): Promise<number> {
  inbox.receiver.pause()
  for (let count = 0; ; count++) {
    const controller = new AbortController()
    const sent = notify(
      { extra: { X_FILL: String(count) } },
      { env: inbox.env, signal: controller.signal },
    )
    const full = await Promise.race([
      sent,
      new Promise<'full'>((resolve) => setImmediate(resolve, 'full')),
    ])
    if (full !== 'full') continue
    controller.abort()
    await sent.catch(() => {})
    return count
  }
}
