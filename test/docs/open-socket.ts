import { execFileSync } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { bindSocket, describeSocket } from '@sdbridge/syscalls'

const TYPES: Readonly<Record<string, 'stream' | 'dgram' | 'seqpacket'>> = {
  ListenStream: 'stream',
  ListenDatagram: 'dgram',
  ListenSequentialPacket: 'seqpacket',
}

/**
 * Opens what a .socket unit would, as far as examples need it; any free port in place of the one that is written.
 *
 * @param placeOf Where a path of the system is in this run.
 */
export function openSocket(
  setting: string,
  value: string,
  placeOf: (path: string) => string,
): { fd: number; port?: number } {
  if (setting === 'ListenFIFO') {
    execFileSync('mkfifo', [placeOf(value)])
    return { fd: openSync(placeOf(value), constants.O_RDWR | constants.O_NONBLOCK) }
  }
  // And what OpenFile= opens.
  if (setting === 'ListenSpecial') return { fd: openSync(placeOf(value), constants.O_RDONLY) }
  const type = TYPES[setting]
  if (type === undefined) throw new Error(`nobody knows how to open ${setting}=`)
  const fd = bindSocket({
    type,
    address: value.startsWith('/')
      ? { family: 'unix', path: placeOf(value) }
      : { family: 'inet6', address: '::', port: 0, flowInfo: 0, scopeId: 0 },
  })
  const { localAddress } = describeSocket(fd)!
  return 'port' in localAddress ? { fd, port: localAddress.port } : { fd }
}
