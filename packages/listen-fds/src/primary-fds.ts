import {
  LISTEN_FDS_START,
  type ListenEnvironment,
  namesOfDescriptors,
  readListenEnvironment,
} from './listen-environment.js'
import { nameFilter } from './name-filter.js'

let ofPrimary: ListenEnvironment | undefined
const taken = new Set<number>()

/**
 * In a worker of node:cluster, remembers what the variables say of the primary process, from which it inherits them, before they
 * are removed.
 */
export function rememberFdsOfPrimary(env: NodeJS.ProcessEnv): void {
  ofPrimary ??= readListenEnvironment(env, process.ppid)
}

/**
 * In a worker of node:cluster, the number that a descriptor passed to the primary process has there: what `listen({ fd })` means in a
 * worker, which has the primary process listen.
 *
 * @returns `undefined` in any other process, if none (of that name) was passed, and if the primary process had
 *   removed the variables before it forked, by `listenFds()` say.
 * @throws ListenFdsError `ERR_LISTEN_FDS_INVALID_ENVIRONMENT`.
 */
export function takeFdOfPrimary(name: string | undefined): number | undefined {
  if (ofPrimary === undefined) return undefined
  const names = namesOfDescriptors(ofPrimary)
  const isMeant = nameFilter(name, names)
  const fd = names
    .map((fdName, index) => ({ fdName, fd: LISTEN_FDS_START + index }))
    .find((passed) => isMeant(passed.fdName) && !taken.has(passed.fd))?.fd
  if (fd !== undefined) taken.add(fd)
  return fd
}
