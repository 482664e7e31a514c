import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'

/** Asks a service for its page. */
export async function askHttp(where: http.RequestOptions): Promise<string> {
  const request = http.get({ host: '127.0.0.1', ...where, agent: false })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return (await response.toArray()).join('')
}

/** Sends one datagram, again until there is an answer: the service may not have been bound yet. */
export async function askUdp(address: string, port: number, text: string): Promise<string> {
  const socket = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4')
  const send = (): void => socket.send(text, port, address)
  const timer = setInterval(send, 100)
  send()
  try {
    const [data] = (await once(socket, 'message')) as [Buffer]
    return data.toString()
  } finally {
    clearInterval(timer)
    socket.close()
  }
}

/** Sends text on a new connection and returns all that comes back. */
export async function askStream(where: net.NetConnectOpts, text: string): Promise<string> {
  const socket = net.connect(where)
  socket.write(text)
  return (await socket.toArray()).join('')
}

/** A TCP port that was free a moment ago, for programs that cannot be given port 0. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  return port
}
