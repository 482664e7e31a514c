import { readlinkSync } from 'node:fs'
import { native } from './native.js'
import { check } from './system-error.js'

/**
 * What the kernel made a descriptor of:
 *
 * - `pipe`: of pipe(2), so that its close is quick and its end is heard; `fifo` is one with a name in a file system,
 *   which may be anybody's.
 * - `memfd`: memory with the form of a file (memfd_create(2)).
 * - `pidfd`, `eventfd`, `eventpoll`, `signalfd`, `timerfd`, `inotify` and other words of the kernel's: an anonymous inode.
 * - `namespace`, such as an open /proc/PID/ns/pid.
 * - `socket`, `regular` (POSIX message queues too), `directory`, `character-device`, `block-device`.
 * - `unknown`: none of these.
 */
export type DescriptorKind =
  | 'pipe'
  | 'fifo'
  | 'memfd'
  | 'pidfd'
  | 'namespace'
  | 'socket'
  | 'regular'
  | 'directory'
  | 'character-device'
  | 'block-device'
  | 'unknown'
  | (string & {})

const FILE_TYPES: Readonly<Record<number, DescriptorKind>> = {
  0o010000: 'fifo',
  0o020000: 'character-device',
  0o040000: 'directory',
  0o060000: 'block-device',
  0o100000: 'regular',
  0o140000: 'socket',
}

/**
 * Finds the kind of a descriptor that anybody may have sent, without waiting for the file system that it is of: a file
 * of a FUSE server answers fstat(2) and fstatfs(2) when that server likes. The kernel's own link in /proc/self/fd
 * knows what has no path, and no path can look like it.
 *
 * @throws SystemError `EBADF` if the descriptor is not open.
 */
export function kindOfFd(fd: number): DescriptorKind {
  check(native().getCloexec(fd), 'fcntl', `fd ${fd}`)
  const link = linkOf(fd)
  const named = kindOfLink(link)
  if (named !== undefined) return named

  const kind = FILE_TYPES[check(native().fileType(fd), 'statx', `fd ${fd}`)] ?? 'unknown'
  if (kind !== 'regular') return kind
  // Only files in memory know seals, and memfd_create(2) names its own so.
  const memfd =
    link.startsWith('/memfd:') && link.endsWith(' (deleted)') && native().getSeals(fd) >= 0
  return memfd ? 'memfd' : kind
}

// A path can be longer than the kernel is willing to tell.
function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return ''
    throw error
  }
}

const NAMESPACES = /^(cgroup|ipc|mnt|net|pid|time|user|uts):\[\d+\]$/

function kindOfLink(link: string): DescriptorKind | undefined {
  if (link.startsWith('pipe:[')) return 'pipe'
  if (link.startsWith('socket:[')) return 'socket'
  if (NAMESPACES.test(link)) return 'namespace'
  return /^anon_inode:\[?([\w-]+)\]?$/.exec(link)?.[1]
}
