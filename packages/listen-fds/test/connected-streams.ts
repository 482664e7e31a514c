import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { bindSocket, ConnectionListener } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { ConnectionStream, type ConnectionStreamOptions } from '../src/connection-stream.js'

/** A listening unix socket, and the path to connect to it. */
export function listeningSocket(type: 'stream' | 'seqpacket' = 'stream'): {
  fd: number
  path: string
} {
  const path = join(temporaryDirectory(), 's')
  return { fd: bindSocket({ type, address: { family: 'unix', path } }), path }
}

/** A connection over a unix socket: one end is a ConnectionStream, the other one node:net's. */
export async function connectedStreams(
  options: ConnectionStreamOptions & { farAllowHalfOpen?: boolean } = {},
): Promise<{ near: ConnectionStream; far: Socket; errors: NodeJS.ErrnoException[] }> {
  const { fd, path } = listeningSocket()
  const accepted = new Promise<ConnectionStream>((resolve, reject) => {
    const listener = new ConnectionListener(fd, {
      onConnection: (connection) => {
        listener.close()
        resolve(new ConnectionStream(connection, options))
      },
      onError: reject,
    })
  })
  const far = connect({ path, allowHalfOpen: options.farAllowHalfOpen ?? false })
  await once(far, 'connect')
  const near = await accepted
  const errors: NodeJS.ErrnoException[] = []
  near.on('error', (error) => errors.push(error))
  far.on('error', () => {})
  onTestFinished(() => {
    near.destroy()
    far.destroy()
  })
  return { near, far, errors }
}

/** All that comes until the end. Unlike node:stream/consumers, it does not destroy the stream then. */
export async function readToEnd(stream: Readable, pauseMs = 0): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    if (pauseMs === 0) return
    stream.pause()
    setTimeout(() => stream.resume(), pauseMs)
  })
  await once(stream, 'end')
  return Buffer.concat(chunks)
}
