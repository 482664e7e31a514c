import { Socket } from 'node:net'
import { type Connection, ConnectionListener, duplicateFd } from '@sdbridge/syscalls'
import {
  type ControlRequest,
  decodeRequest,
  encodeLine,
  MOST_REQUEST_BYTES,
} from '../control/control-message.js'
import { LineReader } from '../control/line-reader.js'
import type { Caller } from './caller.js'
import type { EventStream } from './event-stream.js'

export interface ControlServerOptions {
  /** Listening. Taken over. */
  readonly fd: number
  /** Judges who is there. @throws Error that says why it may not ask. */
  readonly judge: (connection: Connection) => Caller
  /** Does what is asked for. @throws Error that says why not. */
  readonly answer: (
    request: Exclude<ControlRequest, { command: 'events' }>,
    caller: Caller,
  ) => object | Promise<object>
  readonly events: EventStream
  /** Somebody was refused, or said what cannot be read. */
  readonly onRefused: (reason: string) => void
}

const REQUEST_MS = 5000
const MOST_CONNECTIONS = 64
/** Of a follower who reads more slowly than things happen, so much is kept. */
const MOST_UNREAD_BYTES = 1024 * 1024
/** For whom was refused to hear it. */
const REFUSED_MS = 200
/** For an answer to be taken. */
const ANSWER_MS = 10_000

/**
 * Answers at the daemon's control socket: a line of JSON, and one back. Who it is that asks is looked at before anything is read, and sent away at once if
 * it may not.
 */
export class ControlServer {
  readonly #options: ControlServerOptions
  readonly #listener: ConnectionListener
  readonly #sockets = new Set<Socket>()
  readonly #refused = new Set<Connection>()

  /** @throws TypeError, SystemError for what is no listening unix stream socket. */
  constructor(options: ControlServerOptions) {
    this.#options = options
    this.#listener = new ConnectionListener(options.fd, {
      onConnection: (connection) => this.#take(connection),
      onError: (error) => options.onRefused(error.message),
    })
  }

  close(): void {
    this.#listener.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #take(connection: Connection): void {
    let caller: Caller
    let socket: Socket
    try {
      caller = this.#options.judge(connection)
      if (this.#sockets.size >= MOST_CONNECTIONS) throw new Error('too many ask at once')
      // node:net reads and writes; only the addon tells who it is.
      socket = new Socket({ fd: duplicateFd(connection.fd) })
    } catch (error) {
      this.#refuse(connection, (error as Error).message)
      return
    }
    connection.close()
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    // It has gone, and does not hear an answer.
    socket.on('error', () => socket.destroy())
    this.#hear(socket, caller)
  }

  #refuse(connection: Connection, reason: string): void {
    this.#options.onRefused(reason)
    try {
      connection.trySend(Buffer.from(encodeLine({ error: reason })))
    } catch {
      // It has gone.
    }
    // Whoever is still writing its request reads no answer when nobody is there any more.
    if (this.#refused.size >= MOST_CONNECTIONS) return connection.close()
    this.#refused.add(connection)
    setTimeout(() => {
      this.#refused.delete(connection)
      connection.close()
    }, REFUSED_MS).unref()
  }

  #hear(socket: Socket, caller: Caller): void {
    const timer = setTimeout(
      () => this.#reject(socket, `no request in ${REQUEST_MS / 1000} s`),
      REQUEST_MS,
    )
    socket.once('close', () => clearTimeout(timer))
    let isHeard = false
    const reader = new LineReader(MOST_REQUEST_BYTES, (line) => {
      // One request and one answer: what follows is nobody's.
      if (isHeard) return
      isHeard = true
      clearTimeout(timer)
      void this.#reply(socket, caller, line)
    })
    socket.on('data', (chunk: Buffer) => {
      if (isHeard) return
      try {
        reader.add(chunk)
      } catch (error) {
        isHeard = true
        this.#reject(socket, (error as Error).message)
      }
    })
  }

  async #reply(socket: Socket, caller: Caller, line: string): Promise<void> {
    try {
      const request = decodeRequest(line)
      if (request.command === 'events') this.#follow(socket)
      else this.#finish(socket, encodeLine(await this.#options.answer(request, caller)))
    } catch (error) {
      this.#reject(socket, (error as Error).message)
    }
  }

  #follow(socket: Socket): void {
    socket.write(encodeLine({}))
    const end = this.#options.events.follow((line) => {
      if (socket.writableLength + line.length <= MOST_UNREAD_BYTES) {
        socket.write(line)
        return
      }
      end()
      this.#finish(socket, encodeLine({ error: 'events were read too slowly, and some are lost' }))
    })
    socket.once('close', end)
  }

  #reject(socket: Socket, reason: string): void {
    this.#options.onRefused(reason)
    this.#finish(socket, encodeLine({ error: reason }))
  }

  #finish(socket: Socket, line: string): void {
    socket.end(line)
    // Until it has been read, or nobody does.
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS)
    socket.once('close', () => clearTimeout(timer))
  }
}
