import { adoptFd } from './adopt-fd.js'
import { passCredentials } from './pass-credentials.js'
import { describeSocket, type SocketFacts } from './socket-facts.js'
import { invalid } from './system-error.js'

/** The families of the sockets that this package sends and receives with. */
export type MessageFamily = 'unix' | 'vsock' | 'netlink'

/**
 * Finds out whether a descriptor is the socket that is needed.
 *
 * @param expected That, in words.
 * @param match Returns what the caller wants to know of it, or `undefined` if it is another one.
 * @throws TypeError `ERR_INVALID_ARG_VALUE` if it is another one; SystemError `EBADF`.
 */
export function expectSocket<T>(
  fd: number,
  expected: string,
  match: (facts: SocketFacts) => T | undefined,
): T {
  const facts = describeSocket(fd)
  const found = facts && match(facts)
  if (found !== undefined) return found
  throw invalid(`descriptor ${fd} must be a ${expected}, and is ${nameOf(facts)}`)
}

/** {@link adoptFd}, and whoever sends to it from then on is named. */
export function adoptSocket(fd: number, family: MessageFamily): void {
  adoptFd(fd, () => {
    // Nobody is named there.
    if (family !== 'vsock') passCredentials(fd)
  })
}

function nameOf(facts: SocketFacts | undefined): string {
  if (facts === undefined) return 'no socket'
  const { domain, listening, type } = facts
  const family = typeof domain === 'number' ? `family ${domain}` : domain
  const kind = typeof type === 'number' ? `type ${type}` : type
  return `a ${listening ? 'listening ' : ''}socket of ${family}, ${kind}`
}
