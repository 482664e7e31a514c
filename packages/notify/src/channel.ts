import { parseNotifyAddress } from './address.js'
import { defaultTransport } from './default-transport.js'
import { ReportingOutlet } from './reporting-outlet.js'
import { sendFailure } from './send-failure.js'
import { SendQueue } from './send-queue.js'
import type { Outlet, Transport } from './transport.js'

/** A service has one address for life; more come from tests, and from programs that start services. */
const MOST_IDLE = 16

const channels = new WeakMap<Transport, Map<string, Channel>>()

/** The way to one service manager: one socket for all notifications of this thread, and the queue in front of it. */
export interface Channel {
  readonly queue: SendQueue
  readonly outlet: Outlet
}

/**
 * The channel of this thread, so that messages arrive in the order in which they were sent.
 *
 * @param value The value of `$NOTIFY_SOCKET`.
 * @throws NotifyError `ERR_NOTIFY_INVALID_ADDRESS`, `ERR_NOTIFY_SEND_FAILED`.
 */
export function channelTo(value: string, transport: Transport = defaultTransport): Channel {
  return channels.get(transport)?.get(value) ?? openChannel(value, transport)
}

function openChannel(value: string, transport: Transport): Channel {
  const outlet = new ReportingOutlet(value, open(value, transport))
  const queue = new SendQueue(outlet, (message, outcome) => outlet.report(message, outcome))
  const opened = channels.get(transport) ?? new Map<string, Channel>()
  channels.set(transport, opened)
  closeIdle(opened)
  opened.set(value, { queue, outlet })
  return { queue, outlet }
}

function open(value: string, transport: Transport): Outlet {
  const address = parseNotifyAddress(value)
  try {
    return transport.open(address)
  } catch (cause) {
    throw sendFailure(value, 'a message', cause)
  }
}

// The oldest first, as a map keeps the order.
function closeIdle(opened: Map<string, Channel>): void {
  for (const [value, { queue, outlet }] of opened) {
    if (opened.size < MOST_IDLE) return
    if (!queue.idle) continue
    outlet.close()
    opened.delete(value)
  }
}
