import cluster from 'node:cluster'
import {
  LISTEN_FDS_START,
  namesOfDescriptors,
  readListenEnvironment,
} from './listen-environment.js'
import { nameFilter } from './name-filter.js'

const taken = new Set<number>()

/**
 * In a worker of node:cluster, the number that a descriptor passed to the primary process has there: what `listen({ fd })` means in a
 * worker, which has the primary process listen. The variables are inherited from it.
 *
 * @returns `undefined` in any other process, if none (of that name) was passed, and if the primary process has
 *   removed the variables, by `listenFds()` say.
 * @throws What `listenFds` throws for variables that are invalid.
 */
export function takeFdOfPrimary(name: string | undefined): number | undefined {
  if (!cluster.isWorker) return undefined
  const environment = readListenEnvironment(process.env, process.ppid)
  if (environment === undefined) return undefined
  const names = namesOfDescriptors(environment)
  const isMeant = nameFilter(name, names)
  const fd = names
    .map((fdName, index) => ({ fdName, fd: LISTEN_FDS_START + index }))
    .find((passed) => isMeant(passed.fdName) && !taken.has(passed.fd))?.fd
  if (fd !== undefined) taken.add(fd)
  return fd
}
