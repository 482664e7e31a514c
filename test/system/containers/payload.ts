import type { Socket } from 'node:net'

/** What a payload says first. */
export interface Introduction {
  name: string
  /** As it is numbered in its own pid namespace. */
  pid: number
  uid: number
}

export interface ReceivedDatagram {
  /** Each character is one byte. */
  text: string
  /** How many descriptors came with it. */
  files: number
}

export interface PassedFile {
  name: string
  /** Of a file in memory; for anything else its kind: `socket`, `pipe`. */
  content: string
}

export interface Outcome {
  code: number
  stdout: string
  stderr: string
}

export interface SendOptions {
  /** What it has opened, by name, to go with the message. */
  files?: string[]
  /** How often the same is sent. */
  count?: number
  /** Close the files afterwards: then those that were sent are the only ones. */
  close?: boolean
  /** Where to; by default its NOTIFY_SOCKET. */
  address?: string
}

/** How far a stream of numbered messages has come. */
export interface StreamProgress {
  /** The last number that was sent. */
  sent: number
  /** The last number in front of the last barrier that was released. */
  released: number
  /** Why it has ended before it was to. */
  error?: string
}

interface Answer {
  id?: number
  stream?: Partial<StreamProgress>
  value?: unknown
  error?: string
  code?: string
  signal?: string
}

interface Pending {
  resolve: (value: unknown) => void
  reject: (error: Error) => void
}

/**
 * A program that does what a test says, one thing after the other: python3, so that nothing of ours has a part in what
 * a container sends. See payload/remote.py for its side.
 */
export class Payload {
  readonly pid: number
  readonly uid: number
  /** Which signals it got so far. */
  readonly signals: string[] = []
  /** What `startStream()` has led to so far, as the payload tells it. */
  readonly stream: StreamProgress = { sent: 0, released: 0 }
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>

  readonly #name: string
  readonly #connection: Socket
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  constructor({ name, pid, uid }: Introduction, connection: Socket) {
    this.pid = pid
    this.uid = uid
    this.#name = name
    this.#connection = connection
    // It may end while it is told something (EPIPE): what waits for its answer hears of that here.
    connection.on('error', () => {})
    this.ended = new Promise((resolve) => connection.once('close', resolve)).then(() =>
      this.#abandon(),
    )
  }

  /** False when it has ended. */
  get isThere(): boolean {
    return !this.#connection.destroyed
  }

  /** Sends one message, blocking as sd_notify(3) does. */
  async send(
    message: string | Buffer,
    { files = [], count = 1, close = false, address }: SendOptions = {},
  ): Promise<void> {
    const text = Buffer.from(message).toString('latin1')
    await this.#call('send', { text, files, count, close, address: address ?? null })
  }

  /** Sends a message with the descriptor of a barrier. */
  async sendBarrier(name: string, text = 'BARRIER=1'): Promise<void> {
    await this.#call('send_barrier', { name, text })
  }

  /** Whether nobody holds the barrier's descriptor any more, or lets go of it within this time. */
  isReleased(name: string, timeoutMs: number): Promise<boolean> {
    return this.#call('is_released', { name, timeout_ms: timeoutMs })
  }

  /** Sends so many times, or until the socket is full, and tells how often it did. */
  floodUntilFull(text: string, most: number): Promise<number> {
    return this.#call('flood_until_full', { text, most })
  }

  /** Sends numbered messages from now on: see payload/stream.py. */
  async startStream({ pauseMs = 1 } = {}): Promise<void> {
    await this.#call('start_stream', { pause_ms: pauseMs })
  }

  /** Ends it with a barrier, which is waited for; resolves with the last number. */
  finishStream(): Promise<number> {
    return this.#call('finish_stream')
  }

  async openMemory(name: string, content: string): Promise<void> {
    await this.#call('open_memory', { name, content })
  }

  async openPipe(reader: string, writer: string): Promise<void> {
    await this.#call('open_pipe', { reader, writer })
  }

  async openSocket(name: string): Promise<void> {
    await this.#call('open_socket', { name })
  }

  async closeFile(name: string): Promise<void> {
    await this.#call('close_file', { name })
  }

  /** Whether the other end of a pipe is gone, or goes within this time. */
  hangsUp(name: string, timeoutMs: number): Promise<boolean> {
    return this.#call('hangs_up', { name, timeout_ms: timeoutMs })
  }

  /** What `sd_listen_fds_with_names()` would give it. */
  listenFds(): Promise<PassedFile[]> {
    return this.#call('listen_fds')
  }

  /** Takes one connection at a listening socket that was passed to it; resolves with what the client asked. */
  serveOne(fd: number, answer: string): Promise<string> {
    return this.#call('serve_one', { fd, answer })
  }

  openFds(): Promise<number[]> {
    return this.#call('open_fds')
  }

  environment(): Promise<Record<string, string>> {
    return this.#call('environment')
  }

  readFile(path: string): Promise<string> {
    return this.#call('read_file', { path })
  }

  listFolder(path: string): Promise<string[]> {
    return this.#call('list_folder', { path })
  }

  limitsAndSignals(): Promise<{ files: [number, number]; ignored: string }> {
    return this.#call('limits_and_signals')
  }

  /** Runs a program in the container to its end. */
  run(
    argv: string[],
    { env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string } = {},
  ): Promise<Outcome> {
    return this.#call('run', { argv, env, stdin })
  }

  /** Starts a program that goes on; resolves with its pid in the container. */
  start(argv: string[]): Promise<number> {
    return this.#call('start', { argv })
  }

  async sleep(ms: number): Promise<void> {
    await this.#call('sleep', { ms })
  }

  /** Sends the same so many times, with such pauses before. */
  async ping(
    text: string,
    { count, intervalMs }: { count: number; intervalMs: number },
  ): Promise<void> {
    await this.#call('ping', { text, count, interval_ms: intervalMs })
  }

  /** Its CLOCK_MONOTONIC. */
  monotonicUsec(): Promise<number> {
    return this.#call('monotonic_usec')
  }

  /** To its standard output, or error. */
  async write(text: string, to: 1 | 2 = 1): Promise<void> {
    await this.#call('write', { text, to })
  }

  /** From now on it does not end at these signals. */
  async outlive(...signals: string[]): Promise<void> {
    await this.#call('outlive', { signals })
  }

  /** Ends it. */
  async exit(code: number): Promise<void> {
    this.#call('exit', { code }).catch(() => {})
    await this.ended
  }

  /** Ends it by a signal, which the first process of a container does not get. */
  async die(by: string): Promise<void> {
    this.#call('die', { by }).catch(() => {})
    await this.ended
  }

  /** Becomes a receiver of notifications. */
  async bind(address: string): Promise<void> {
    await this.#call('bind', { address })
  }

  /** The next datagram; rejects if none comes. */
  async receive(timeoutMs = 20_000): Promise<ReceivedDatagram> {
    const datagram = await this.receiveIfAny(timeoutMs)
    if (datagram === null) throw new Error(`${this.#name} received nothing in ${timeoutMs} ms`)
    return datagram
  }

  receiveIfAny(timeoutMs: number): Promise<ReceivedDatagram | null> {
    return this.#call('receive', { timeout_ms: timeoutMs })
  }

  /** For what reads the connection. */
  take({ id, value, error, code, signal, stream }: Answer): void {
    Object.assign(this.stream, stream)
    if (signal !== undefined) this.signals.push(signal)
    if (id === undefined) return
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (error === undefined) pending?.resolve(value)
    else pending?.reject(Object.assign(new Error(`in ${this.#name}: ${error}`), { code }))
  }

  async #call<Result>(verb: string, args: Record<string, unknown> = {}): Promise<Result> {
    if (this.#connection.destroyed) throw new Error(`${this.#name} has ended`)
    const id = ++this.#lastId
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
    })
    this.#connection.write(`${JSON.stringify({ id, verb, arguments: args })}\n`)
    return (await answer) as Result
  }

  #abandon(): void {
    for (const { reject } of this.#pending.values()) reject(new Error(`${this.#name} has ended`))
    this.#pending.clear()
  }
}
