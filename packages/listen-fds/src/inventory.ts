import { type ListenFdsOptions, readAnnouncedFds } from './announced-fds.js'
import type { InheritedFd } from './inherited-fd.js'

// The variables tell of the descriptors once. What one part of a program did not ask for stays here for the others.
const unclaimed: InheritedFd[] = []
const passed: InheritedFd[] = []

/** Takes those that match, at most so many; nobody else gets them then. */
export function claimFds(
  matches: (inherited: InheritedFd) => boolean,
  most: number = Infinity,
  options?: ListenFdsOptions,
): readonly InheritedFd[] {
  const announced = readAnnouncedFds(options)
  passed.push(...announced)
  unclaimed.push(...announced)
  const claimed = unclaimed.filter(matches).slice(0, most)
  for (const inherited of claimed) unclaimed.splice(unclaimed.indexOf(inherited), 1)
  return claimed
}

/** All that were passed to this process, for messages. */
export function passedFds(): readonly InheritedFd[] {
  return passed
}

/**
 * Takes the inherited descriptors of one name, for programs whose parts each need their own; none if there are none. The
 * first call of this or a function beside it reads the environment as {@link listenFds} does; what nobody takes can be
 * listed by {@link unclaimedFds}.
 *
 * - Unit file: `FileDescriptorName=NAME` in a .socket unit, `OpenFile=PATH:NAME`, or the name under which it was stored.
 * - Duty: the descriptors are the caller's: adopt or close them.
 *
 * @throws What `listenFds` throws.
 */
export function takeFds(name: string): readonly InheritedFd[] {
  return claimFds((inherited) => inherited.name === name)
}

/**
 * Lists the inherited descriptors that nobody has taken: neither `listenFds()`, which takes all that are left, nor a
 * function that takes some. They stay where they are; take one by its name.
 *
 * @throws What `listenFds` throws.
 */
export function unclaimedFds(): readonly InheritedFd[] {
  claimFds(() => false)
  return [...unclaimed]
}

/**
 * Closes what nobody has taken and returns what that was: a socket that a unit passes and nobody serves keeps its
 * clients waiting for ever. The service manager's copy of a listening socket stays open, and starts the service again when it is
 * used after its end. No descriptor is touched that was not passed.
 *
 * @throws What `listenFds` throws.
 */
export function closeUnclaimedFds(): readonly InheritedFd[] {
  const closed = claimFds(() => true)
  for (const inherited of closed) inherited.close()
  return closed
}
