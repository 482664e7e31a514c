/**
 * Which descriptors are meant by a name, if so many were passed under these names. A single one without a name is meant by any: whoever
 * passes it (systemd-socket-activate -l 8080) has not thought of names. Of several without names, which is which cannot be known.
 *
 * @param name `undefined` means any.
 */
export function nameFilter(
  name: string | undefined,
  passedNames: readonly string[],
): (fdName: string) => boolean {
  const isOnlyOne = passedNames.length === 1 && passedNames[0] === 'unknown'
  return (fdName) => name === undefined || isOnlyOne || fdName === name
}
