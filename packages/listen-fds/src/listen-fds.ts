import { describeDescriptor } from './descriptor-facts.js'
import { InheritedFd } from './inherited-fd.js'
import {
  LISTEN_FDS_START,
  type ListenEnvironment,
  namesOfDescriptors,
  readListenEnvironment,
  unsetListenEnvironment,
} from './listen-environment.js'
import { claimDescriptor } from './passed-descriptor.js'

export interface ListenFdsOptions {
  /** Where the `LISTEN_` variables are. Default `process.env`. */
  env?: NodeJS.ProcessEnv
  /**
   * Removes the four variables from `env`, also when the call throws, so that programs which this one starts
   * do not take the descriptors for theirs. Default true. A second call then returns none.
   */
  unsetEnvironment?: boolean
  /** The process that `LISTEN_PID` must name. Default `process.pid`. */
  pid?: number
}

/**
 * Returns the descriptors that the service manager passed to this process, in its order; none if it passed
 * none, or if they were meant for another process.
 *
 * - Unit file: a .socket unit (`ListenStream=`, `ListenDatagram=`, ..., named by `FileDescriptorName=`), or
 *   `OpenFile=` or `FileDescriptorStoreMax=` in the .service unit. `ExecStart=` must become this process:
 *   below `npm start` or a shell that does not `exec`, `LISTEN_PID` names the other process and the result
 *   is empty.
 * - Duty: the descriptors are the caller's now. Each is close-on-exec; adopt it or close it. Call this once,
 *   early, and on the main thread: in a Worker, variables cannot be removed for other threads.
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
  const { env = process.env, unsetEnvironment = true, pid = process.pid } = options
  try {
    const environment = readListenEnvironment(env, pid)
    return environment === undefined ? [] : takeDescriptors(environment)
  } finally {
    if (unsetEnvironment) unsetListenEnvironment(env)
  }
}

// All are claimed before anything else can fail, so that none can leak into a child even then.
function takeDescriptors(environment: ListenEnvironment): readonly InheritedFd[] {
  const { count, names } = environment
  for (let index = 0; index < count; index++) {
    claimDescriptor({ fd: LISTEN_FDS_START + index, name: names?.[index] ?? 'unknown', count })
  }
  return namesOfDescriptors(environment).map((name, index) => {
    const fd = LISTEN_FDS_START + index
    return new InheritedFd(fd, name, describeDescriptor(fd))
  })
}
