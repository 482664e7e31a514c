import { isIPv4, isIPv6 } from 'node:net'
import type { SocketAddress } from '@sdbridge/syscalls'
import { ManagerError } from './errors.js'

/**
 * Reads an address as `ListenStream=` has it (systemd.socket(5)).
 *
 * @throws ManagerError `ERR_MANAGER_INVALID_OPTION`.
 */
export function parseListenAddress(value: string | number): SocketAddress {
  const text = String(value)
  if (text.startsWith('/')) return { family: 'unix', path: text }
  if (text.startsWith('@') && text.length > 1) {
    return { family: 'unix', abstract: Buffer.from(text.slice(1)) }
  }
  const match = /^(?:(?:\[(?<v6>[^\]]+)\]|(?<v4>[\d.]+)):)?(?<port>\d{1,5})$/.exec(text)
  const { v4, v6, port } = match?.groups ?? {}
  if (port === undefined || Number(port) > 65_535) throw invalid(text)
  if (v4 !== undefined) {
    if (!isIPv4(v4)) throw invalid(text)
    return { family: 'inet', address: v4, port: Number(port) }
  }
  if (v6 !== undefined && !isIPv6(v6)) throw invalid(text)
  return { family: 'inet6', address: v6 ?? '::', port: Number(port), flowInfo: 0, scopeId: 0 }
}

function invalid(text: string): ManagerError {
  return new ManagerError(
    'ERR_MANAGER_INVALID_OPTION',
    `cannot listen on '${text}': expected a port (8080), 127.0.0.1:8080, [::1]:8080, /a/path or @name`,
  )
}
