// What a user's compiler is asked. It is compiled and not run.
import { createServer, type Server } from 'node:net'
import { type InheritedFd, listenFds, type ListenFdsError } from '@sdbridge/listen-fds'
import { Service, type ServiceOptions, type SubState } from '@sdbridge/manager'
import {
  type Assignments,
  notify,
  type NotifyError,
  ready,
  systemdNotify,
  type Transport,
  type Watchdog,
  watchdog,
} from '@sdbridge/notify'
import { type Notification, NotifyReceiver } from '@sdbridge/notify/receiver'
import { encodeParsed, parseMessage } from '@sdbridge/notify/relay'
import { unixDgram } from '@sdbridge/notify/unix-dgram'
import { type Drop, NotifyProxy, type NotifyProxyOptions } from '@sdbridge/oci-shim'
import {
  DatagramSocket,
  describeSocket,
  type SocketAddress,
  type SystemError,
} from '@sdbridge/syscalls'

const sockets: readonly InheritedFd[] = listenFds()
const server: Server = createServer().listen(sockets[0]?.expect('tcp-listener') ?? 8080)

const assignments: Assignments = { ready: true, status: 'up' }
const sent: boolean = await notify(assignments, { fds: [1] })
const keepAlive: Watchdog = watchdog()
await ready()
const transports: Transport[] = [systemdNotify, unixDgram()]
await ready('up', { transport: transports[0]! })
// @ts-expect-error READY=0 has no meaning.
await notify({ ready: false })

const options: ServiceOptions = { command: ['node', 'server.js'], type: 'notify-reload' }
const service = new Service(options)
service.on('state', (state: SubState) => state)
// @ts-expect-error There is no such event.
service.on('stat', () => {})

const receiver = new NotifyReceiver({
  onNotification: (notification: Notification) => notification.takeFds(),
})
const message = parseMessage(Buffer.from('READY=1'))
const again: Buffer | string =
  'rejected' in message ? message.rejected : encodeParsed(message.assignments)
const proxyOptions: NotifyProxyOptions = {
  path: '/run/web/notify.sock',
  upstream: undefined,
  onDropped: ({ reason, field }: Drop) => [reason, field],
}
const received: number = new NotifyProxy(proxyOptions).counters.received
const socket = new DatagramSocket('unix')
const address: SocketAddress = { family: 'unix', path: receiver.address }
socket.receive({ onMessages: () => {}, onError: (error: SystemError) => error.errno })
const codes: string[] = [new Error() as NotifyError, new Error() as ListenFdsError].map(
  (e) => e.code,
)

export { address, again, codes, describeSocket, keepAlive, received, sent, server }
