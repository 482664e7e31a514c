import { fileURLToPath } from 'node:url'
import { bindSocket, closeFd } from '@sdbridge/syscalls'

/** @typedef {import('./groups.js').Setting} Setting */
/** @typedef {import('./groups.js').Contestant} Contestant */

const SERVER = fileURLToPath(new URL('contestants/serve.js', import.meta.url))
const LOAD = fileURLToPath(new URL('contestants/load.js', import.meta.url))
const CONNECTIONS = 16
/** A process's start varies more than what is measured. */
const RUNS = 3

/** @type {[title: string, way: string][]} */
const WAYS = [
  ['bound: server.listen(path)', 'bind'],
  ['adopted: server.listen({ fd: 3 })', 'fd'],
  ['adopted: server.listen(listenFds()[0])', 'listenFds'],
  ['adopted: listenOrBind()', 'listenOrBind'],
  ['bound: the fallback of listenOrBind()', 'fallback'],
]

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function startGroup(setting) {
  return {
    name: 'start',
    title: 'Starting: a server that adopts its socket beside one that binds',
    method:
      'The processor time of a whole process with a server of node:http, from its start until it listens. Most of what adopting costs is ' +
      'the import of the package.',
    unit: 'ms',
    contestants: contestants(async (way) => {
      let time = 0
      for (let run = 0; run < RUNS; run++) {
        const outcome = await withServer(setting, way, '', (server) => server.outcome())
        time += (outcome?.cpu ?? Number.NaN) / RUNS
      }
      return { time }
    }),
  }
}

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function serveGroup(setting) {
  const { workshop, count } = setting
  const requests = Math.ceil(count / 10)
  return {
    name: 'serve',
    title: 'Serving: requests of an adopted server beside a bound one',
    method:
      `${requests.toLocaleString('en')} requests to a server of node:http over ${CONNECTIONS} connections that are kept, on a unix socket, by a client of Node. ` +
      'The processor time of the server for a request, the kernel’s part included: 1 is what adopting should have.',
    unit: 'ns',
    contestants: contestants((way) =>
      withServer(setting, way, 'stays', async (server, path) => {
        await server.ready()
        const words = [LOAD, path, requests, CONNECTIONS].map(String)
        const outcome = await workshop.start(process.execPath, words).outcome()
        await server.stop().end()
        return { time: (outcome?.cpu ?? Number.NaN) / requests }
      }),
    ),
  }
}

/** @param {(way: string) => Promise<import('./groups.js').Sample>} run @returns {Contestant[]} */
function contestants(run) {
  return WAYS.map(([title, way]) => ({ title, run: () => run(way) }))
}

/**
 * Starts the server as a service manager does; those that bind are passed nothing.
 *
 * @template T
 * @param {Setting} setting @param {string} way @param {string} stays
 * @param {(server: import('./workshop.js').Running, path: string) => Promise<T>} use
 */
async function withServer({ workshop }, way, stays, use) {
  const path = workshop.newSocketPath()
  const fds = way === 'bind' || way === 'fallback' ? [] : [listener(path)]
  const announced = fds.length === 0 ? '' : 'LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$ '
  const command = ['-c', `${announced}exec "$@"`, 'sh', process.execPath, SERVER, way, path, stays]
  try {
    return await use(workshop.start('sh', command, process.env, fds), path)
  } finally {
    for (const fd of fds) closeFd(fd)
  }
}

/** @param {string} path */
function listener(path) {
  return bindSocket({ type: 'stream', address: { family: 'unix', path } })
}
