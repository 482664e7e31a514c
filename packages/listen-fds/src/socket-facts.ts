import { readFileSync, readlinkSync } from 'node:fs'
import { endianness } from 'node:os'
import { describeSocket, type SocketAddress, type SocketFacts } from '@sdbridge/syscalls'

/**
 * Describes a socket: by system calls, or where the addon has no binary by the kernel's tables in /proc/net, so that TCP, UDP
 * and unix sockets can be adopted on any machine that Node runs on.
 *
 * @returns `undefined` without a binary for a socket of a family whose table is not read here, or one of another network namespace
 *   (`PrivateNetwork=yes`), which the tables do not show.
 */
export function socketFacts(fd: number): SocketFacts | undefined {
  try {
    return describeSocket(fd)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SYSCALLS_UNAVAILABLE') throw error
    return socketFactsFromTables(fd)
  }
}

/** What the tables know of a socket; see {@link socketFacts}. */
export function socketFactsFromTables(fd: number): SocketFacts | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    if (inode === undefined) return undefined
    return inetFacts(inode) ?? unixFacts(inode)
  } catch {
    return undefined
  }
}

const INET_TABLES = [
  { file: 'tcp', type: 'stream', protocol: 6 },
  { file: 'tcp6', type: 'stream', protocol: 6 },
  { file: 'udp', type: 'dgram', protocol: 17 },
  { file: 'udp6', type: 'dgram', protocol: 17 },
] as const
const INET_INODE = 9
const TCP_LISTEN = '0A'
const UNIX_TYPES: Readonly<Record<number, SocketFacts['type']>> = {
  1: 'stream',
  2: 'dgram',
  5: 'seqpacket',
}
/** __SO_ACCEPTCON, the flag of a unix socket that listens. */
const UNIX_LISTENS = 0x1_0000

// proc(5): `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ...`
function inetFacts(inode: string): SocketFacts | undefined {
  for (const { file, type, protocol } of INET_TABLES) {
    const row = rowsOf(file)
      .map((line) => line.trim().split(/\s+/))
      .find((columns) => columns[INET_INODE] === inode)
    if (row === undefined) continue
    const localAddress = inetAddress(row[1]!)
    const listening = type === 'stream' && row[3] === TCP_LISTEN
    return { domain: localAddress.family, type, protocol, listening, localAddress }
  }
  return undefined
}

// proc(5): `Num: RefCount Protocol Flags Type St Inode Path`, where the path may hold anything.
function unixFacts(inode: string): SocketFacts | undefined {
  for (const line of rowsOf('unix')) {
    const row = /^\S+ +\S+ +\S+ +(\S+) +(\S+) +\S+ +(\d+)(?: (.*))?$/.exec(line)
    if (row?.[3] !== inode) continue
    const type = Number.parseInt(row[2]!, 16)
    return {
      domain: 'unix',
      type: UNIX_TYPES[type] ?? type,
      protocol: 0,
      listening: (Number.parseInt(row[1]!, 16) & UNIX_LISTENS) !== 0,
      localAddress: unixAddress(row[4] ?? ''),
    }
  }
  return undefined
}

function rowsOf(table: string): string[] {
  try {
    return readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n').slice(1)
  } catch {
    // A kernel without IPv6 has no table of it.
    return []
  }
}

function unixAddress(text: string): SocketAddress {
  if (text === '') return { family: 'unix' }
  if (!text.startsWith('@')) return { family: 'unix', path: text }
  return { family: 'unix', abstract: Buffer.from(text.slice(1)) }
}

// `0100007F:1F90`: the address in words of 32 bits as they lie in memory, the port as it is.
function inetAddress(text: string): SocketAddress & { family: 'inet' | 'inet6' } {
  const [words = '', port = ''] = text.split(':')
  const bytes = Buffer.from(words, 'hex')
  if (endianness() === 'LE') bytes.swap32()
  if (bytes.length === 4) {
    return { family: 'inet', address: bytes.join('.'), port: Number.parseInt(port, 16) }
  }
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16))
  // The URL parser writes the one short form.
  const address = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
  return { family: 'inet6', address, port: Number.parseInt(port, 16), flowInfo: 0, scopeId: 0 }
}
