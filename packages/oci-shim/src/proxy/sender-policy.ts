import type { Sender } from './drop.js'

/** Which of a container's processes may speak, by what the kernel says of the sender. */
export type SenderPolicy = 'all' | 'init' | readonly number[]

/** @param init The container's first process. */
export function isAllowed(sender: Sender, policy: SenderPolicy, init: number | undefined): boolean {
  if (policy === 'all') return true
  return policy === 'init' ? sender.pid === init : policy.includes(sender.uid)
}
