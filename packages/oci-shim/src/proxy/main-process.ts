import { readlinkSync } from 'node:fs'
import {
  closeFd,
  kindOfFd,
  openPidNamespace,
  pidFromNamespace,
  pidfdId,
  pidfdOpen,
  pidfdPid,
  pidInNamespace,
} from '@sdbridge/syscalls'
import type { DropReason } from './drop.js'

/** A process of the container, as it is called here. */
export interface OurProcess {
  readonly pid: number
  /** What no two processes share until the next boot; `undefined` where the kernel has no such thing (before 6.9). */
  readonly pidfdId: bigint | undefined
}

/** Why a process cannot become the main process. */
export interface Refusal {
  readonly reason: DropReason
  readonly text: string
}

/** Who sent a message, and what keeps naming that process. */
export interface KnownSender {
  readonly pid: number
  /** Borrowed; the kernel gives none before 6.5. */
  readonly pidfd: number | undefined
}

/**
 * Finds the process that a payload calls `pid`, which must be one of the container's: in the pid namespace of the container's first
 * process, or in one below that. Where that namespace is our own, the first process itself is the only one.
 *
 * @param init The container's first process, as we call it.
 */
export function findMainProcess(
  pid: number,
  sender: KnownSender,
  init: number | undefined,
): OurProcess | Refusal {
  return withNamespace(sender.pid, 'sender', (namespace) => {
    // The number may have become another process' before its namespace was open.
    if (sender.pidfd !== undefined && pidfdPid(sender.pidfd) !== sender.pid) return SENDER_GONE
    const ours = pidFromNamespace(namespace, pid)
    if (ours === undefined) return noProcess(`the sender’s pid namespace has no process ${pid}`)
    return withPidfd(ours, (pidfd) => {
      // Held from here on. Was it still the same one when it was opened?
      if (pidFromNamespace(namespace, pid) !== ours) return noProcess(`process ${pid} has ended`)
      return checkBelongs(pidfd, ours, init)
    })
  })
}

/** Looks at a descriptor that a payload sent as its main process, with the same conditions. */
export function checkMainPidfd(fd: number, init: number | undefined): OurProcess | Refusal {
  if (kindOfFd(fd) !== 'pidfd') {
    return { reason: 'not-a-pidfd', text: 'the descriptor that came with MAINPIDFD=1 is no pidfd' }
  }
  const pid = pidfdPid(fd)
  if (pid === undefined) return noProcess('the pidfd’s process has ended, or is not visible here')
  return checkBelongs(fd, pid, init)
}

function checkBelongs(pidfd: number, pid: number, init: number | undefined): OurProcess | Refusal {
  if (init === undefined) {
    return {
      reason: 'not-in-container',
      text: 'the container’s first process is not known (yet), so nothing tells what belongs to it',
    }
  }
  if (pid !== init) {
    const refusal = withNamespace(init, 'container', (namespace) => {
      if (isOurs(init)) return sharedNamespace(pid)
      return pidInNamespace(namespace, pid) === undefined ? outside(pid) : undefined
    })
    if (refusal !== undefined) return refusal
  }
  // All of this was about the number. It is still that of the process that is held.
  if (pidfdPid(pidfd) !== pid) return noProcess(`process ${pid} has ended`)
  return { pid, pidfdId: pidfdId(pidfd) }
}

function withNamespace<T>(pid: number, whose: string, use: (namespace: number) => T): T | Refusal {
  let namespace
  try {
    namespace = openPidNamespace(pid)
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no-process' : 'namespace-unreadable'
    return {
      reason,
      text: `the pid namespace of the ${whose} cannot be opened: ${(error as Error).message}`,
    }
  }
  try {
    return use(namespace)
  } finally {
    closeFd(namespace)
  }
}

function withPidfd<T>(pid: number, use: (pidfd: number) => T): T | Refusal {
  let pidfd
  try {
    pidfd = pidfdOpen(pid)
  } catch (error) {
    return noProcess(`process ${pid} cannot be held: ${(error as Error).message}`)
  }
  try {
    return use(pidfd)
  } finally {
    closeFd(pidfd)
  }
}

function isOurs(pid: number): boolean {
  return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid')
}

const SENDER_GONE: Refusal = {
  reason: 'no-process',
  text: 'the sender has ended, and with it went the way to look up its process numbers',
}

function noProcess(text: string): Refusal {
  return { reason: 'no-process', text }
}

function outside(pid: number): Refusal {
  return { reason: 'not-in-container', text: `process ${pid} is none of the container’s` }
}

function sharedNamespace(pid: number): Refusal {
  return {
    reason: 'not-in-container',
    text: `the container shares our pid namespace, where nothing tells that process ${pid} is one of its own; only its first process is accepted`,
  }
}
