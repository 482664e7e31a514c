import type { StoreOptions } from './proxy-options.js'

/**
 * Counts what a container has in the descriptor store, by name.
 *
 * It hears of what goes in and of FDSTOREREMOVE, and of nothing else: what the service manager refuses, or drops because the other end
 * hung up, goes on counting until the name is removed.
 */
export class StoreQuota {
  readonly limit: number
  readonly #counts = new Map<string, number>()
  #total = 0

  constructor({ limit, names = [] }: Pick<StoreOptions, 'limit' | 'names'>) {
    this.limit = limit
    for (const name of names) this.add(name, 1)
  }

  get total(): number {
    return this.#total
  }

  hasRoomFor(count: number): boolean {
    return this.#total + count <= this.limit
  }

  add(name: string, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
    this.#total += count
  }

  /** They went in, and did not get there. */
  takeBack(name: string, count: number): void {
    const taken = Math.min(count, this.#counts.get(name) ?? 0)
    this.add(name, -taken)
  }

  remove(name: string): void {
    this.#total -= this.#counts.get(name) ?? 0
    this.#counts.delete(name)
  }
}
