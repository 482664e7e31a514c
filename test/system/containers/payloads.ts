import { once } from 'node:events'
import { chmod, mkdir } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Machine } from '../machine/machine.js'
import { Payload } from './payload.js'

const LONGEST_START_MS = 30_000

/** The folder with the socket at which payloads arrive: bound into containers as /control. */
export const CONTROL_FOLDER = '/srv/control'

/** Where the payloads of a machine are waited for. */
export class Payloads {
  readonly #arrived = new Map<string, Payload[]>()
  readonly #awaited = new Map<string, (payload: Payload) => void>()

  static async listen(machine: Machine): Promise<Payloads> {
    const payloads = new Payloads()
    const server = createServer((connection) => {
      connection.unref()
      void payloads.#accept(connection)
    })
    await mkdir(machine.path(CONTROL_FOLDER))
    // It ends with this process; nobody can close it sooner, for the machine's files are gone first.
    server.listen(machine.path(`${CONTROL_FOLDER}/socket`)).unref()
    await once(server, 'listening')
    // A payload may run as anybody.
    await chmod(machine.path(`${CONTROL_FOLDER}/socket`), 0o666)
    return payloads
  }

  /**
   * The next payload of this name; waits until it is there.
   *
   * @param whyNot Rejects when there will be none.
   */
  async next(name: string, whyNot: (signal: AbortSignal) => Promise<never>): Promise<Payload> {
    const arrived = this.#arrived.get(name)?.shift()
    if (arrived !== undefined) return arrived
    const controller = new AbortController()
    const { signal } = controller
    try {
      return await Promise.race([
        new Promise<Payload>((resolve) => this.#awaited.set(name, resolve)),
        whyNot(AbortSignal.any([signal, AbortSignal.timeout(LONGEST_START_MS)])),
      ])
    } finally {
      this.#awaited.delete(name)
      controller.abort()
    }
  }

  /** Whether a payload of this name has arrived that nobody has asked for yet. */
  has(name: string): boolean {
    return (this.#arrived.get(name)?.length ?? 0) > 0
  }

  /** Those that nobody has asked for are of no interest any more. */
  forget(name: string): void {
    this.#arrived.delete(name)
  }

  async #accept(connection: Socket): Promise<void> {
    // A killed payload resets its connection: an end like any other.
    connection.on('error', () => connection.destroy())
    let payload: Payload | undefined
    for await (const line of createInterface({ input: connection })) {
      const message = JSON.parse(line)
      if (payload === undefined) {
        payload = new Payload(message, connection)
        this.#arrive(message.name, payload)
      } else payload.take(message)
    }
  }

  #arrive(name: string, payload: Payload): void {
    const awaited = this.#awaited.get(name)
    if (awaited !== undefined) awaited(payload)
    else this.#arrived.set(name, [...(this.#arrived.get(name) ?? []), payload])
  }
}
