import cluster from 'node:cluster'
import { describeDescriptor } from './descriptor-facts.js'
import { InheritedFd } from './inherited-fd.js'
import { findLauncher } from './launcher.js'
import {
  LISTEN_FDS_START,
  type ListenEnvironment,
  namesOfDescriptors,
  readListenEnvironment,
  unsetListenEnvironment,
} from './listen-environment.js'
import { claimDescriptor } from './passed-descriptor.js'
import { rememberFdsOfPrimary } from './primary-fds.js'
import { warnOnce } from './warn-once.js'

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

/** Makes objects of the descriptors that an environment announces to this process; none if it announces none. */
export function readAnnouncedFds(options: ListenFdsOptions = {}): readonly InheritedFd[] {
  const { env = process.env, unsetEnvironment = true, pid = process.pid } = options
  try {
    const environment = readListenEnvironment(env, pid)
    if (environment !== undefined) return takeDescriptors(environment)
    if (env === process.env && pid === process.pid) whoseAreThey(env)
    return []
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

function whoseAreThey(env: NodeJS.ProcessEnv): void {
  if (cluster.isWorker) rememberFdsOfPrimary(env)
  else warnOfLauncher(env)
}

// It would be no error of sd_listen_fds(3) either, but is the commonest mistake with socket activation.
function warnOfLauncher({ LISTEN_PID, LISTEN_FDS }: NodeJS.ProcessEnv): void {
  if (LISTEN_PID === undefined || LISTEN_FDS === undefined) return
  const launcher = findLauncher(Number(LISTEN_PID))
  if (launcher === undefined) return
  const { pid, command } = launcher
  warnOnce(
    'LISTEN_FDS_LAUNCHER',
    `the service manager passed ${LISTEN_FDS} descriptor(s) to process ${pid} (${command}), which started this one ` +
      `(${process.pid}) instead of becoming it, so they are not taken. Start node itself in ExecStart=, or let the ` +
      'script end in: exec node …',
  )
}
