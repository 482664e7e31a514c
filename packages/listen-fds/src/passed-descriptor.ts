import { type BigIntStats, constants, readFileSync, readlinkSync } from 'node:fs'
import { setCloexec } from '@sdbridge/syscalls'
import { ListenFdsError } from './errors.js'
import { kindOfFile } from './fd-kind.js'
import { fdStats } from './fd-stats.js'

/** One descriptor of those that the environment announces. */
export interface AnnouncedDescriptor {
  fd: number
  name: string
  /** How many were announced, for messages. */
  count: number
}

const O_CLOEXEC = 0o2_000_000

/**
 * Makes sure that a descriptor was really passed, and closes it to the programs that this process will
 * start: sd_listen_fds(3) does the same, in the order of the numbers.
 *
 * libsystemd only has to ask whether the number is open. Node has to ask for more: if fewer descriptors were
 * passed than announced, the first free number went to Node itself. The first descriptor that Node opens at
 * start and keeps is libuv's epoll instance (on Node 20 to 26, whatever its options), and the kernel always
 * gives out the lowest free number. So the first gap in the range is an epoll instance, which nobody may
 * listen on, read or close; and because the walk ends there, what Node opened after it is not touched.
 * An epoll instance that somebody did pass is refused too: nothing in Node can use it. The channel to the process that
 * forked this one (`stdio: 'ipc'`) is Node's own as well, and may have any number.
 *
 * @throws ListenFdsError `ERR_LISTEN_FDS_BAD_DESCRIPTOR`.
 */
export function claimDescriptor(announced: AnnouncedDescriptor): void {
  const { fd } = announced
  let stats: BigIntStats
  try {
    stats = fdStats(fd)
  } catch (cause) {
    throw badDescriptor(announced, 'it is not open', cause)
  }
  const owner = nodeOwnerOf(fd, stats)
  if (owner !== undefined) throw badDescriptor(announced, owner)
  makeCloexec(fd, stats)
}

// Kernel objects without a file (epoll, eventfd, ...) have no file type, all others have one.
function nodeOwnerOf(fd: number, stats: BigIntStats): string | undefined {
  if (fd === channelFd())
    return 'the number is that of the channel to the process that forked this one'
  if ((stats.mode & BigInt(constants.S_IFMT)) !== 0n) return undefined
  try {
    const link = readlinkSync(`/proc/self/fd/${fd}`)
    return link === 'anon_inode:[eventpoll]'
      ? "the number is that of Node's own epoll instance"
      : undefined
  } catch {
    // Better to refuse a descriptor that was passed than to hand out Node's event loop.
    return "it may be Node's own epoll instance, which cannot be told apart without /proc"
  }
}

// Node removes the variable from process.env when it has opened the channel, but the kernel keeps what a process started with.
function channelFd(): number | undefined {
  if (process.channel === undefined) return undefined
  const environment = readOrEmpty('/proc/self/environ')
  const fd = /(?:^|\0)NODE_CHANNEL_FD=(\d+)/.exec(environment)?.[1]
  return fd === undefined ? undefined : Number(fd)
}

// Node does this at its start to the descriptors that follow one another, and so to these. Where it has, there is nothing to
// call: a machine without a binary of the addon can adopt what Node itself can drive. Of a message queue the file says it too if it
// was opened so, whatever has become of the descriptor since (mq_open() leaves O_CLOEXEC in the flags of the open file).
function makeCloexec(fd: number, stats: BigIntStats): void {
  const flags = /^flags:\s*(\d+)$/m.exec(readOrEmpty(`/proc/self/fdinfo/${fd}`))?.[1]
  const isCloexec = flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0
  if (!isCloexec || isMessageQueue(fd, stats)) setCloexec(fd, true)
}

function isMessageQueue(fd: number, stats: BigIntStats): boolean {
  return stats.isFile() && kindOfFile(fd, stats) === 'message-queue'
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function badDescriptor(
  { fd, name, count }: AnnouncedDescriptor,
  reason: string,
  cause?: unknown,
): ListenFdsError {
  const message =
    `descriptor ${fd} (${JSON.stringify(name)}) was announced by LISTEN_FDS=${count} but not passed: ` +
    `${reason}; whoever starts this process must keep ${count} open from 3 on, or announce fewer`
  return new ListenFdsError('ERR_LISTEN_FDS_BAD_DESCRIPTOR', message, { fd, fdName: name, cause })
}
