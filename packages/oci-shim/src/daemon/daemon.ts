import type { Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { lifecycle, status } from '@sdbridge/notify'
import type { ControlRequest } from '../control/control-message.js'
import { keepDescriptors } from '../run/keep-descriptors.js'
import { tell } from '../run/operator-log.js'
import { readHostEnvironment } from '../run/host-environment.js'
import { unitIdentity } from '../run/unit-identity.js'
import { BridgeError } from '../run/bridge-error.js'
import { type AllowList, readAllowList } from './allow-list.js'
import { type Caller, callerOf, groupOfCaller } from './caller.js'
import { checkPrivileges } from './check-privileges.js'
import { Containers } from './containers.js'
import { ControlServer } from './control-server.js'
import { DescriptorDeposits } from './descriptor-deposits.js'
import { EventStream } from './event-stream.js'
import { takeInheritedSockets } from './inherited-sockets.js'
import { ManagerWay } from './manager-way.js'
import { ownStoreLimit } from './own-settings.js'
import { PLACES } from './places.js'
import { removeContainerOf } from './remove-container.js'
import { RefusalLog } from './refusal-log.js'
import { createMetricsServer } from './serve-metrics.js'
import { SocketStore } from './socket-store.js'
import { readUnitFacts } from './unit-facts.js'
import { checkAllowed, unitOfRequest } from './unit-of-request.js'

const STATUS_PAUSE_MS = 1000

/**
 * Bridges the registered containers of this host until it is stopped; what it is bridging it hands over to its next run.
 *
 * @throws BridgeError if it cannot start.
 */
export async function runDaemon(): Promise<void> {
  const host = readHostEnvironment()
  const { notifySocket: upstream } = host
  if (upstream === undefined)
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      'expected $NOTIFY_SOCKET, the way to the service manager: start it as a unit (sdbridge daemon install, systemctl start sdbridge)',
    )
  checkPrivileges()
  const sockets = takeInheritedSockets(PLACES, tell)
  keepDescriptors()
  const identity = unitIdentity()
  let allowList: AllowList = readAllowList(PLACES.allowList)

  const way = new ManagerWay(upstream)
  const events = new EventStream()
  const store = new SocketStore(await ownStoreLimit(host, identity))
  const script = fileURLToPath(new URL('../../bin/sdbridge.js', import.meta.url))
  const containers = new Containers({
    places: PLACES,
    way,
    store,
    tell,
    onEvent: (event) => {
      events.tell(event)
      if (event.event === 'registered' || event.event === 'unregistered') showCount()
      if (event.event === 'unregistered' || event.event === 'unit-ended')
        deposits?.drop(event.name ?? '')
    },
    removeContainerOf: (unit) => {
      removeContainerOf(unit, [process.execPath, script], host.passedOn).catch((error: unknown) =>
        tell((error as Error).message),
      )
    },
  })
  let deposits: DescriptorDeposits | undefined
  let timer: NodeJS.Timeout | undefined
  const showCount = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      status(textOf(containers.size)).catch((error: unknown) => tell((error as Error).message))
    }, STATUS_PAUSE_MS).unref()
  }
  const answer = async (
    request: Exclude<ControlRequest, { command: 'events' }>,
    caller: Caller,
  ): Promise<object> => {
    if (request.command === 'list') return { containers: containers.list() }
    if (request.command === 'unregister')
      return { found: containers.unregister(request.name, request.id) }
    const claimed = unitOfRequest(request, caller)
    checkAllowed(claimed, allowList, identity.unit, PLACES.allowList)
    const facts = await readUnitFacts(claimed.unit, host.passedOn)
    // An alias has been told by its name, and stands for another.
    checkAllowed({ ...claimed, unit: facts.unit }, allowList, identity.unit, PLACES.allowList)
    return await containers.register(request, facts, claimed.claim)
  }

  const refusals = new RefusalLog(tell)
  const onRefused = (reason: string): void => {
    events.tell({ event: 'refused', text: reason })
    refusals.add(reason)
  }
  let control: ControlServer | undefined
  let metrics: Server | undefined
  await lifecycle({
    async start() {
      await containers.restore(sockets.stored)
      control = new ControlServer({
        fd: sockets.control,
        judge: callerOf,
        answer,
        events,
        onRefused,
      })
      deposits = new DescriptorDeposits({
        fd: sockets.descriptors,
        judge: callerOf,
        groupOf: groupOfCaller,
        unitOf: (name) => containers.unitOf(name),
        onRefused,
      })
      if (sockets.metrics !== undefined)
        metrics = createMetricsServer(() => containers.list()).listen({ fd: sockets.metrics })
      if (allowList.size === 0)
        tell(
          `${PLACES.allowList} names no unit, so that no container will be bridged: see sdbridge daemon --help`,
        )
      return textOf(containers.size)
    },
    reload() {
      // One with a mistake is not taken, and the one before goes on.
      allowList = readAllowList(PLACES.allowList)
      containers.review(allowList)
      return textOf(containers.size)
    },
    stop() {
      control?.close()
      deposits?.close()
      metrics?.close()
      containers.close()
    },
    onError: (error) => tell((error as Error).message),
    exit: (code) => process.exit(code),
  })
}

function textOf(count: number): string {
  return `Bridging ${count} container${count === 1 ? '' : 's'}`
}
