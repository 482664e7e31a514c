import { native } from './native.js'
import { check } from './system-error.js'

const IPPROTO_TCP = 6
const TCP_INFO = 11
/** Of struct tcp_info: eight octets, then words, of which this one (tcpi_sacked) means something else for a listening socket. */
const LIMIT_WORD = 7

/**
 * The most connections that a listening TCP socket keeps waiting to be accepted, as listen(2) was told and the system allows.
 *
 * @returns `undefined` for a socket of another kind: the kernel does not tell.
 * @throws SystemError `EBADF`, `ENOTSOCK`.
 */
export function listenBacklog(fd: number): number | undefined {
  const info = new Int32Array(LIMIT_WORD + 1)
  const result = native().getsockopt(fd, IPPROTO_TCP, TCP_INFO, info)
  if (result === EOPNOTSUPP || result === ENOPROTOOPT) return undefined
  check(result, 'getsockopt', `fd ${fd}`)
  return info[LIMIT_WORD]!
}

const EOPNOTSUPP = -95
const ENOPROTOOPT = -92
