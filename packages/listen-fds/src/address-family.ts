import { SOCKET_DOMAINS } from '@sdbridge/syscalls'
import { argumentError } from './argument-error.js'
import type { FdFamily } from './descriptor-facts.js'
import { AF_NETLINK } from './fd-kind.js'

const FAMILIES: Readonly<Record<string, number>> = { ...SOCKET_DOMAINS, netlink: AF_NETLINK }

/** The number of an address family; 0, which is any, for undefined. */
export function familyNumber(family: FdFamily = 0): number {
  const number = Object.hasOwn(FAMILIES, family) ? FAMILIES[family] : family
  if (typeof number === 'number' && Number.isInteger(number)) return number
  throw argumentError('family', `${Object.keys(FAMILIES).join(', ')} or a number`, family)
}
