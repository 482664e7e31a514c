import type * as childProcess from 'node:child_process'
import { once } from 'node:events'
import type * as fs from 'node:fs'
import type * as net from 'node:net'
import type * as listenFds from '@sdbridge/listen-fds'
import type * as notify from '@sdbridge/notify'
import type * as ociShim from '@sdbridge/oci-shim'
import type * as syscalls from '@sdbridge/syscalls'

/** What a function that runs in a remote process is given; it cannot use anything else. */
export interface Remote {
  childProcess: typeof childProcess
  fs: typeof fs
  net: typeof net
  listenFds: typeof listenFds
  notify: typeof notify
  ociShim: typeof ociShim
  syscalls: typeof syscalls
  once: typeof once
  /** The descriptor of a server or a socket, which Node does not tell. */
  fdOf: (owner: net.Server | net.Socket) => number
  /** What one function leaves for the next; each test knows what it left. */
  // oxlint-disable-next-line typescript/no-explicit-any
  kept: Record<string, any>
}

/** What a remote process says first. */
export interface Introduction {
  unit: string
  role: string
  pid: number
}

interface Answer {
  id: number
  value?: unknown
  error?: { name?: string; message: string; code?: string }
}

interface Pending {
  resolve: (value: unknown) => void
  reject: (error: Error) => void
}

/** A process in a machine that runs functions of a test. See fixtures/remote-process.mjs for its side. */
export class RemoteProcess {
  /** As it is numbered in the machine. */
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>

  readonly #name: string
  readonly #connection: net.Socket
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  constructor({ unit, role, pid }: Introduction, connection: net.Socket) {
    this.pid = pid
    this.#name = `the process "${role}" of ${unit}`
    this.#connection = connection
    this.ended = once(connection, 'close').then(() => this.#abandon())
  }

  /**
   * Runs a function there and returns what it returns; both go as text, the result as JSON. What it throws is thrown
   * here, with its `code`.
   */
  async run<Result, Argument = undefined>(
    action: (remote: Remote, argument: Argument) => Result,
    argument?: Argument,
  ): Promise<Awaited<Result>> {
    if (this.#connection.destroyed) throw new Error(`${this.#name} has ended`)
    const id = ++this.#lastId
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
    })
    this.#connection.write(`${JSON.stringify({ id, source: String(action), argument })}\n`)
    return (await answer) as Awaited<Result>
  }

  /** Like `run`, for a function in which the process ends. */
  async runToTheEnd<Argument = undefined>(
    action: (remote: Remote, argument: Argument) => unknown,
    argument?: Argument,
  ): Promise<void> {
    this.run(action, argument).catch(() => {})
    await this.ended
  }

  /** For what reads the connection. */
  take({ id, value, error }: Answer): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (error === undefined) pending?.resolve(value)
    else pending?.reject(Object.assign(new Error(`in ${this.#name}: ${error.message}`), error))
  }

  #abandon(): void {
    for (const { reject } of this.#pending.values()) reject(new Error(`${this.#name} has ended`))
    this.#pending.clear()
  }
}
