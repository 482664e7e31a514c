import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const SDBRIDGE = join(
  dirname(createRequire(import.meta.url).resolve('@sdbridge/oci-shim/package.json')),
  'bin/sdbridge.js',
)

/**
 * What node is given for `sdbridge run` with a payload that sends `READY=1` and stays. It is no container, which is started by
 * an engine and makes no difference to the bridge from then on.
 *
 * @param {import('./workshop.js').Workshop} workshop
 */
export function bridgeWords(workshop) {
  // In a unit, which has a name.
  const command = ['run', '--unit', 'bench.service', '--']
  return [SDBRIDGE, ...command, workshop.peer, 'payload', '{notify-socket}', '0']
}

/**
 * @param {import('./workshop.js').Workshop} workshop
 * @param {string[]} words what node is given
 * @param {string} upstream the service manager's socket
 * @param {string} directory the unit's own
 */
export function startNode(workshop, words, upstream, directory) {
  // The bridge tells an operator that this is no container.
  const command = ['-c', 'exec "$@" 2>/dev/null', 'sh', process.execPath, ...words]
  const env = { ...process.env, NOTIFY_SOCKET: upstream, RUNTIME_DIRECTORY: directory }
  return workshop.start('sh', command, env)
}
