// What an environment cannot do, and why that is not ours. A check is named by the beginning of its name; it is
// tried all the same and must fail with `error`, unless it is `untried` because it would hang or crash.

/** @type {Record<string, Record<string, { reason: string, error?: RegExp, untried?: true }>>} */
const LIST = {
  'qemu-user': {
    // Its table of socket options (linux-user/syscall.c, do_setsockopt) ends before Linux 6.5; the addon treats
    // that as an old kernel, and the message arrives without a pidfd.
    'a pidfd of the sender arrives': {
      reason: 'qemu does not know SO_PASSPIDFD',
      error: /no pidfd/,
    },
    // In do_getsockopt() all options that it does not know are of four bytes.
    'a socket is told from others by its cookie': {
      reason: 'qemu does not know SO_COOKIE',
      error: /EINVAL: invalid argument, getsockopt/,
    },
    // do_prctl() has a list of its own, on which these are not.
    'orphans are adopted': {
      reason: 'qemu does not know PR_SET_CHILD_SUBREAPER',
      error: /EINVAL: invalid argument, prctl/,
    },
    'it is no subreaper': {
      reason: 'qemu does not know PR_GET_CHILD_SUBREAPER',
      error: /EINVAL: invalid argument, prctl/,
    },
    'pids are translated': {
      reason: 'qemu does not know the requests of ioctl_ns(2)',
      error: /ENOSYS: .*, ioctl/,
    },
  },
  'not root': {
    'a process that waits gives up root': {
      reason: 'only root has something to give up',
      untried: true,
    },
  },
}

/** Environments that can do everything, as far as it is known. */
const others = new Set(['musl', 'valgrind'])

/** What can be found out from inside, and what the caller knows beside it. */
export function currentEnvironments(named) {
  const unknown = named.filter((name) => !(name in LIST) && !others.has(name))
  if (unknown.length > 0) throw new Error(`unknown environment: ${unknown.join(', ')}`)
  return [
    ...named,
    ...(process.versions.bun !== undefined && !named.includes('bun') ? ['bun'] : []),
    ...(process.getuid() === 0 ? [] : ['not root']),
  ]
}

/** Why this check is not expected to pass here, if so. */
export function notHere(name, environments) {
  for (const environment of environments) {
    for (const [beginning, absence] of Object.entries(LIST[environment] ?? {})) {
      if (name.startsWith(beginning)) {
        return { ...absence, reason: `${environment}: ${absence.reason}` }
      }
    }
  }
  return undefined
}
