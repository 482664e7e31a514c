import { describe, invalidArgType, NotifyError } from './errors.js'
import { parseInteger } from './integer.js'

/** Where notifications go: the meaning of `$NOTIFY_SOCKET`. */
export type NotifyAddress =
  | { readonly kind: 'unix-path'; readonly path: string }
  /** A name in Linux's abstract namespace, without the `@` and the NUL that stand before it. */
  | { readonly kind: 'unix-abstract'; readonly name: string }
  /** A socket between a virtual machine and its host; `auto` tries dgram, seqpacket, stream. */
  | {
      readonly kind: 'vsock'
      readonly cid: number
      readonly port: number
      readonly type: 'auto' | 'dgram' | 'stream' | 'seqpacket'
    }

/**
 * Reads a value of `$NOTIFY_SOCKET`, or throws NotifyError ERR_NOTIFY_INVALID_ADDRESS.
 *
 * An empty value is an error too: whoever set the variable expects notifications. A path may be
 * longer than the 107 bytes of a socket address, as the transport reaches it through a descriptor.
 *
 * @see {@link https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html sd_notify(3)}
 */
export function parseNotifyAddress(value: string): NotifyAddress {
  if (typeof value !== 'string') throw invalidArgType('NOTIFY_SOCKET', 'a string', value)
  if (value.includes('\0')) throw invalidAddress(value, 'it has a NUL')
  if (value.startsWith('/')) return unixPath(value)
  if (value.startsWith('@')) return unixAbstract(value)
  if (value.startsWith('vsock')) return vsock(value)
  throw invalidAddress(value, value === '' ? 'it is empty' : 'this form is unknown')
}

/** The value of `$NOTIFY_SOCKET` for an address; throws what {@link parseNotifyAddress} throws. */
export function formatNotifyAddress(address: NotifyAddress): string {
  const value = format(address)
  // Whoever reads the value must come to the same address, or we set a trap.
  if (parseNotifyAddress(value).kind !== address.kind) {
    throw invalidAddress(value, `it would not be read as ${address.kind}`)
  }
  return value
}

/** The bytes of the kernel's PATH_MAX but for the NUL at the end. */
const PATH_MAX_BYTES = 4095
/** The bytes of sun_path but for the NUL in front: libsystemd stops at 106, the kernel does not. */
const ABSTRACT_NAME_MAX_BYTES = 107
const UINT32_MAX = 2 ** 32 - 1
const CID_WORDS: ReadonlyMap<string, number> = new Map([
  ['hypervisor', 0],
  ['local', 1],
  ['host', 2],
])
const VSOCK = /^vsock(?:-(dgram|stream|seqpacket))?:([^:]*):([^:]*)$/

function unixPath(path: string): NotifyAddress {
  const bytes = Buffer.byteLength(path)
  if (path === '/') throw invalidAddress(path, 'it names no socket')
  if (bytes > PATH_MAX_BYTES) {
    throw invalidAddress(path, `the path has ${bytes} bytes, more than ${PATH_MAX_BYTES}`)
  }
  return { kind: 'unix-path', path }
}

function unixAbstract(value: string): NotifyAddress {
  const name = value.slice(1)
  const bytes = Buffer.byteLength(name)
  if (name === '') throw invalidAddress(value, 'it names no socket')
  if (bytes > ABSTRACT_NAME_MAX_BYTES) {
    throw invalidAddress(value, `the name has ${bytes} bytes, more than ${ABSTRACT_NAME_MAX_BYTES}`)
  }
  return { kind: 'unix-abstract', name }
}

function vsock(value: string): NotifyAddress {
  const match = VSOCK.exec(value)
  if (match === null) throw invalidAddress(value, 'this form is unknown')
  const [, type, cidText = '', portText = ''] = match
  const cid = CID_WORDS.get(cidText) ?? parseUint32(cidText)
  if (cid === undefined) throw invalidAddress(value, 'its CID names no machine')
  const port = parseUint32(portText)
  if (port === undefined) throw invalidAddress(value, 'its port is not a port number')
  return { kind: 'vsock', cid, port, type: (type as 'dgram' | undefined) ?? 'auto' }
}

// 2^32-1 means "any", to which nothing can be sent.
function parseUint32(text: string): number | undefined {
  const value = parseInteger(text)
  return value !== undefined && value < UINT32_MAX ? Number(value) : undefined
}

function format(address: NotifyAddress): string {
  if (address.kind === 'unix-path') return address.path
  if (address.kind === 'unix-abstract') return `@${address.name}`
  const { type, cid, port } = address
  return `vsock${type === 'auto' ? '' : `-${type}`}:${cid}:${port}`
}

const FORMS =
  '/absolute/path, @abstract-name, or vsock:CID:PORT (also vsock-dgram:, vsock-stream:, ' +
  'vsock-seqpacket:), where CID is a number, hypervisor, local or host'

function invalidAddress(value: string, reason: string): NotifyError {
  const problem = `NOTIFY_SOCKET is ${describe(value)} and cannot be used: ${reason}`
  return new NotifyError('ERR_NOTIFY_INVALID_ADDRESS', `${problem}; it must be ${FORMS}`, {
    address: value,
  })
}
