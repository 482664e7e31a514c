import type { ContainerEvent } from '../control/control-message.js'
import { encodeLine } from '../control/control-message.js'

/** Who follows the events: what takes a line, and returns whether it can take more. */
export type Follower = (line: string) => void

/** Passes events on to all who follow them; made for nobody, they cost nothing. */
export class EventStream {
  readonly #followers = new Set<Follower>()

  get isFollowed(): boolean {
    return this.#followers.size > 0
  }

  /** @returns What ends it. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  tell(event: Omit<ContainerEvent, 'time'>): void {
    if (!this.isFollowed) return
    const line = encodeLine({ time: Date.now(), ...event })
    for (const follower of this.#followers) follower(line)
  }
}
