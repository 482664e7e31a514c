/** What the service manager takes as a name; the bytes are ASCII. */
export const STORED_NAME_MAX_BYTES = 255

/**
 * The name under which the service manager stores a container's descriptor: each container has a prefix of its own.
 *
 * @param name What the payload calls it (`FDNAME=`); without one, systemd would call it `stored`.
 * @returns `undefined` if that is longer than the 255 bytes that systemd takes.
 */
export function storedName(prefix: string, name = 'stored'): string | undefined {
  const stored = prefix + name
  return stored.length <= STORED_NAME_MAX_BYTES ? stored : undefined
}

/**
 * What the payload called a descriptor that comes back from the store (`LISTEN_FDNAMES`).
 *
 * @returns `undefined` if the name has another prefix: a socket of the unit, or another container's.
 */
export function nameWithoutPrefix(prefix: string, fdName: string): string | undefined {
  return fdName.startsWith(prefix) ? fdName.slice(prefix.length) : undefined
}
