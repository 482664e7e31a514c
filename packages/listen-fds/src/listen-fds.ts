import { type ListenFdsOptions, readAnnouncedFds } from './announced-fds.js'
import type { InheritedFd } from './inherited-fd.js'
import { claimFds } from './inventory.js'

/**
 * Returns the descriptors that the service manager passed to this process, in its order; none if it passed
 * none, or if they were meant for another process.
 *
 * - Unit file: a .socket unit (`ListenStream=`, `ListenDatagram=`, ..., named by `FileDescriptorName=`), or
 *   `OpenFile=` or `FileDescriptorStoreMax=` in the .service unit. `ExecStart=` must become this process:
 *   below `npm start` or a shell that does not `exec`, `LISTEN_PID` names the other process, the result is empty, and a
 *   warning of the process says so (code `LISTEN_FDS_LAUNCHER`).
 * - Duty: the descriptors are the caller's now. Each is close-on-exec; adopt it or close it. Call this once,
 *   early, and on the main thread: in a Worker, variables cannot be removed for other threads. To take some and leave
 *   others, there is {@link takeFds}: what that has taken does not come again here.
 * - Sockets arrive blocking; `listen()`, `bind()` and `new net.Socket()` change that by themselves.
 *
 * Without `LISTEN_PID` it touches nothing, and works on any system. See sd_listen_fds(3).
 *
 * @example
 * const [web] = listenFds()
 * server.listen(web ?? 8080)
 *
 * @throws ListenFdsError `ERR_LISTEN_FDS_INVALID_ENVIRONMENT`, `ERR_LISTEN_FDS_BAD_DESCRIPTOR`: where
 *   libsystemd returns a negative number, and if a number that was announced is Node's own.
 */
export function listenFds(options: ListenFdsOptions = {}): readonly InheritedFd[] {
  const { env, unsetEnvironment = true } = options
  // Variables that stay will tell of the same descriptors again.
  const isOnce = unsetEnvironment && (env === undefined || env === process.env)
  return isOnce ? claimFds(() => true, Infinity, options) : readAnnouncedFds(options)
}
