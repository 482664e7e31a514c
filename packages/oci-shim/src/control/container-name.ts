/** What a container is called by the daemon: letters, digits and `_.-`, so that it is a file's name as it is. */
export function isContainerName(name: string): boolean {
  return /^[A-Za-z0-9_][\w.-]{0,60}$/.test(name)
}
