import { connect, type Socket } from 'node:net'
import { type ControlRequest, decodeReply, encodeLine } from './control-message.js'
import { LineReader } from './line-reader.js'

const ANSWER_MS = 10_000
/** A line for each of ten thousand containers. */
const MOST_REPLY_BYTES = 64 * 1024 * 1024

/**
 * Asks the daemon for something, and waits for its one answer.
 *
 * @param path Of the daemon's control socket.
 * @throws Error that says what was expected, what was found and what to do.
 */
export async function callDaemon(
  path: string,
  request: ControlRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const socket = connect(path)
  try {
    return decodeReply(await firstLine(socket, path, request))
  } finally {
    socket.destroy()
  }
}

/**
 * Follows the daemon's events until it ends, or `signal` ends it.
 *
 * @throws as {@link callDaemon}.
 */
export async function followDaemon(
  path: string,
  onEvent: (event: Readonly<Record<string, unknown>>) => void,
  signal?: AbortSignal,
): Promise<void> {
  const socket = connect(path)
  const stop = (): void => void socket.destroy()
  signal?.addEventListener('abort', stop)
  try {
    let isFirst = true
    await eachLine(socket, path, { command: 'events' }, Infinity, (line) => {
      const value = decodeReply(line)
      // The first one says that it will be told from now on.
      if (!isFirst) onEvent(value)
      isFirst = false
      return false
    })
  } finally {
    signal?.removeEventListener('abort', stop)
    socket.destroy()
  }
}

async function firstLine(socket: Socket, path: string, request: ControlRequest): Promise<string> {
  let answer: string | undefined
  await eachLine(socket, path, request, ANSWER_MS, (line) => {
    answer = line
    return true
  })
  if (answer === undefined)
    throw new Error(`sdbridge daemon at ${path} has gone without an answer: see its log`)
  return answer
}

/** @param onLine Returns whether that is all. */
function eachLine(
  socket: Socket,
  path: string,
  request: ControlRequest,
  timeoutMs: number,
  onLine: (line: string) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer =
      timeoutMs === Infinity
        ? undefined
        : setTimeout(
            () => fail(new Error(`sdbridge daemon at ${path}: no answer in ${timeoutMs / 1000} s`)),
            timeoutMs,
          )
    const fail = (error: unknown): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const reader = new LineReader(MOST_REPLY_BYTES, (line) => {
      if (!onLine(line)) return
      clearTimeout(timer)
      resolve()
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.add(chunk)
      } catch (error) {
        fail(error)
      }
    })
    socket.on('connect', () => socket.write(encodeLine(request)))
    socket.on('error', (error: NodeJS.ErrnoException) => fail(unreachable(path, error)))
    socket.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function unreachable(path: string, error: NodeJS.ErrnoException): Error {
  const why = error.code === 'EACCES' ? 'only root may ask it' : 'systemctl start sdbridge.socket'
  return new Error(`expected sdbridge daemon at ${path}, found nobody (${error.message}): ${why}`, {
    cause: error,
  })
}
