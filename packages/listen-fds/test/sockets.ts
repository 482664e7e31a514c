import { once } from 'node:events'
import net from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bindSocket, closeFd, describeSocket, type SocketAddress } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'

/** A socket of a test, which the test's end closes. */
export interface TestSocket {
  fd: number
  port: number
}

export function tcp(address = '127.0.0.1', backlog?: number): TestSocket {
  return bound('stream', inet(address), backlog)
}

export function udp(address = '127.0.0.1'): TestSocket {
  return bound('dgram', inet(address))
}

/** A unix socket with a path. */
export function unix(type: 'stream' | 'dgram' | 'seqpacket', path: string): TestSocket {
  return bound(type, { family: 'unix', path })
}

/** A path for a socket. */
export function socketPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'listen-fds-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'socket')
}

/** A connection over TCP: a descriptor of the accepted end, and the client. */
export async function connected(): Promise<{ fd: number; client: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [net.Socket]
  server.close()
  onTestFinished(() => {
    accepted.destroy()
    client.destroy()
  })
  return { fd: (Reflect.get(accepted, '_handle') as { fd: number }).fd, client }
}

function inet(address: string): SocketAddress {
  if (!address.includes(':')) return { family: 'inet', address, port: 0 }
  return { family: 'inet6', address, port: 0, flowInfo: 0, scopeId: 0 }
}

function bound(
  type: 'stream' | 'dgram' | 'seqpacket',
  address: SocketAddress,
  backlog?: number,
): TestSocket {
  const fd = bindSocket({ type, address, ...(backlog !== undefined && { backlog }) })
  onTestFinished(() => closeFd(fd))
  const { localAddress } = describeSocket(fd)!
  return { fd, port: 'port' in localAddress ? localAddress.port : 0 }
}
