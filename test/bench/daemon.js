import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getFileLimit } from '@sdbridge/syscalls'

const DAEMON = fileURLToPath(new URL('contestants/daemon.js', import.meta.url))

/** A socket and a pidfd for each container, and some of its own. */
const FILES = 2
const OWN_FILES = 100

/** How many containers a daemon can have here, up to so many: in hundreds, where that is less. @param {number} most */
export function mostContainers(most) {
  const room = Math.floor((getFileLimit().hard - OWN_FILES) / FILES)
  return room >= most ? most : Math.max(1, 100 * Math.floor(room / 100))
}

/**
 * Starts what `sdbridge daemon` is made of, with so many containers.
 *
 * @param {import('./workshop.js').Workshop} workshop
 * @param {string} upstream the service manager's socket
 * @param {number} count of containers
 * @param {{ hasStore?: boolean }} [options] whether it has the service manager store their sockets
 */
export async function startDaemon(workshop, upstream, count, { hasStore = false } = {}) {
  const directory = workshop.newFolder()
  const words = [DAEMON, directory, `${count}`, ...(hasStore ? ['store'] : [])]
  const env = { ...process.env, NOTIFY_SOCKET: upstream }
  const running = await workshop.start(process.execPath, words, env).ready()
  return { running, pattern: join(directory, 'notify/c%/notify.sock') }
}
