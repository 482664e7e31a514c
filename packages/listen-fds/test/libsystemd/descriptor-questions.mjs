// What libsystemd's sd_is_*(3) and ours are asked of each descriptor from 3 on: every combination of a list for each argument.
// A question has the line for answers.c, a text for people, and the answer of this package, in the form of that program's.
import { readdirSync } from 'node:fs'
import {
  isFifo,
  isMq,
  isSocket,
  isSocketInet,
  isSocketSockaddr,
  isSocketUnix,
  isSpecial,
} from '@sdbridge/listen-fds'
import { encodeSocketAddress, socketName } from '@sdbridge/syscalls'

const FAMILIES = [undefined, 0, 'unix', 'inet', 'inet6', 'vsock', 'netlink', 1, 2, 10, 16, 17, 40, 44, -1, 99_999] // prettier-ignore
const INET_FAMILIES = [undefined, 'inet', 10, 'unix', -1]
const FAMILY_NUMBERS = { unix: 1, inet: 2, inet6: 10, vsock: 40, netlink: 16 }
const TYPES = [undefined, 0, 'stream', 'dgram', 'raw', 'seqpacket', 1, 5, -1, 77]
/** For the functions with more arguments, of which there are many combinations already. */
const SOME_TYPES = [undefined, 'stream', 2, 'seqpacket', -1]
const TYPE_NUMBERS = { stream: 1, dgram: 2, raw: 3, seqpacket: 5 }
const LISTENING = [undefined, true, false]
/** Far from those that are passed, and from those of Node itself. */
const NOT_OPEN = [999_999, -1, -2_147_483_648]

/** @param {readonly string[]} kinds what was passed; see ../fixtures/pass.py */
export function descriptorQuestions(kinds) {
  const passed = kinds.map((kind, at) => ({ kind, fd: 3 + at }))
  const fds = [...passed, ...NOT_OPEN.map((fd) => ({ kind: 'not open', fd }))]
  const names = passed.flatMap(({ fd }) => nameOf(fd))
  return [
    ...cross(askFifo, fds, pathsNear(passed)),
    ...cross(askSpecial, fds, pathsNear(passed)),
    ...cross(askMq, fds, QUEUES),
    ...cross(askSocket, fds, FAMILIES, TYPES, LISTENING),
    ...cross(askInet, fds, INET_FAMILIES, SOME_TYPES, LISTENING, portsNear(names)),
    ...cross(askSockaddr, fds, SOME_TYPES, LISTENING, addressesNear(names)),
    ...cross(askUnix, fds, SOME_TYPES, LISTENING, unixNamesNear(names)),
  ]
}

function askFifo({ kind, fd }, path) {
  return question('sd_is_fifo', ['f', fd, text(path)], [kind, path], () => isFifo(fd, path))
}

function askSpecial({ kind, fd }, path) {
  return question('sd_is_special', ['c', fd, text(path)], [kind, path], () => isSpecial(fd, path))
}

function askMq({ kind, fd }, name) {
  return question('sd_is_mq', ['q', fd, text(name)], [kind, name], () => isMq(fd, name))
}

function askSocket({ kind, fd }, family, type, listening) {
  const numbers = [familyNumber(family), typeNumber(type), listeningNumber(listening)]
  return question('sd_is_socket', ['s', fd, ...numbers], [kind, family, type, listening], () =>
    isSocket(fd, { family, type, listening }),
  )
}

function askInet({ kind, fd }, family, type, listening, port) {
  const numbers = [familyNumber(family), typeNumber(type), listeningNumber(listening), port ?? 0]
  const args = [kind, family, type, listening, port]
  return question('sd_is_socket_inet', ['i', fd, ...numbers], args, () =>
    isSocketInet(fd, { family, type, listening, port }),
  )
}

function askSockaddr({ kind, fd }, type, listening, address) {
  const { port = 0, flowInfo = 0, scopeId = 0 } = address
  const family = address.address.includes(':') ? 'inet6' : 'inet'
  const sockaddr = encodeSocketAddress({ ...address, family, port, flowInfo, scopeId })
  const words = ['a', fd, typeNumber(type), hex(sockaddr), listeningNumber(listening)]
  return question('sd_is_socket_sockaddr', words, [kind, type, listening, address], () =>
    isSocketSockaddr(fd, { address, type, listening }),
  )
}

function askUnix({ kind, fd }, type, listening, { path, abstract }) {
  // The C function takes both in one argument, an abstract name with its NUL; the length 0 is that of the text.
  const bytes =
    path ?? (abstract === undefined ? undefined : Buffer.from(`\0${abstract}`, 'latin1'))
  const given = bytes === undefined ? '-' : hex(Buffer.from(bytes, 'latin1'))
  const length = abstract === undefined ? 0 : bytes.length
  const words = ['u', fd, typeNumber(type), listeningNumber(listening), given, length]
  const options = {
    type,
    listening,
    ...(path !== undefined && { path: Buffer.from(path, 'latin1') }),
    ...(abstract !== undefined && { abstract: Buffer.from(abstract, 'latin1') }),
  }
  return question('sd_is_socket_unix', words, [kind, type, listening, path, abstract], () =>
    isSocketUnix(fd, options),
  )
}

function question(name, words, args, call) {
  return {
    name,
    text: args.map((argument) => JSON.stringify(argument) ?? '-').join(' '),
    line: words.join(' '),
    answer: () => {
      try {
        return call() ? '1' : '0'
      } catch (error) {
        return String(error.errno ?? error.stack)
      }
    },
  }
}

function cross(ask, ...lists) {
  return lists
    .reduce((rows, list) => rows.flatMap((row) => list.map((each) => [...row, each])), [[]])
    .map((row) => ask(...row))
}

const QUEUES = [undefined, '/listen-fds', 'listen-fds', '', '/', '//listen-fds', '/absent', '/../zero', `/${'n'.repeat(300)}`] // prettier-ignore

function pathsNear(passed) {
  const files = readdirSync('.', { encoding: 'latin1' })
    // What cannot be written in UTF-8 is compared as the name of a socket.
    .filter((name) => !/[^ -~]/.test(name))
    .flatMap((name) => [name, `${process.cwd()}/${name}`])
  const descriptors = passed.map(({ fd }) => `/proc/self/fd/${fd}`)
  const others = ['', '.', '/', '/dev/zero', '/dev/null', '/dev/stdin', '/proc/uptime', '/proc/self/stat', 'absent', 'fifo/below', 'regular/below', '/dev/zero/', 'x'.repeat(300), 'x/'.repeat(3000)] // prettier-ignore
  return [undefined, ...files, ...descriptors, ...others]
}

// A 16-bit number.
function portsNear(names) {
  const bound = names.filter(isInet).map(({ bytes }) => bytes.readUInt16BE(2))
  return [...new Set([undefined, 0, 1, 80, 65_535, ...bound])]
}

function addressesNear(names) {
  const ports = names.filter(isInet).map(({ bytes }) => bytes.readUInt16BE(2))
  const hosts = ['127.0.0.1', '0.0.0.0', '127.0.0.2', '::1', '::', '::2', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1'] // prettier-ignore
  return [
    ...hosts.flatMap((address) =>
      [...new Set(ports), undefined, 1].map((port) => ({ address, port })),
    ),
    { address: '::1', flowInfo: 1 },
    { address: '::1', scopeId: 1 },
    { address: '::', flowInfo: 0xf_ffff, scopeId: 0xffff_ffff },
  ]
}

function unixNamesNear(names) {
  const bound = names.filter(({ family }) => family === FAMILY_NUMBERS.unix)
  const own = bound.map(({ bytes }) => bytes.subarray(2).toString('latin1'))
  const paths = own
    .filter((name) => name !== '' && name[0] !== '\0')
    .map((name) => name.slice(0, -1))
  const abstracts = own.filter((name) => name[0] === '\0').map((name) => name.slice(1))
  // Each as it is, and a little less and more than it.
  const near = (name) => [name, name.slice(0, -1), `${name}x`, name.slice(1)]
  return [
    {},
    ...[...new Set(['', '/', 'r', 'x'.repeat(108), 'x'.repeat(200), ...paths.flatMap(near)])].map(
      (path) => ({ path }),
    ),
    ...[
      ...new Set(['', 'x'.repeat(107), 'x'.repeat(200), ...paths, ...abstracts.flatMap(near)]),
    ].map((abstract) => ({ abstract })),
    ...abstracts.filter((name) => name !== '' && !name.includes('\0')).map((path) => ({ path })),
    ...abstracts.map((name) => ({ abstract: `${name}\0` })),
  ]
}

function nameOf(fd) {
  try {
    const { family, bytes } = socketName(fd)
    return [{ family, bytes: Buffer.from(bytes) }]
  } catch {
    return []
  }
}

function isInet({ family }) {
  return family === FAMILY_NUMBERS.inet || family === FAMILY_NUMBERS.inet6
}

function familyNumber(family) {
  return FAMILY_NUMBERS[family] ?? family ?? 0
}

function typeNumber(type) {
  return TYPE_NUMBERS[type] ?? type ?? 0
}

function listeningNumber(listening) {
  if (listening === undefined) return -1
  return listening ? 1 : 0
}

function text(value) {
  return value === undefined ? '-' : hex(Buffer.from(value))
}

function hex(bytes) {
  return `=${Buffer.from(bytes).toString('hex')}`
}
