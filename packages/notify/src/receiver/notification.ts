import { closeFd, closeForeignFds } from '@sdbridge/syscalls'
import type { ParsedAssignments } from '../assignments.js'
import type { AcceptedMessage, MessageProblem } from '../parse-message.js'

/** The sending process, by the kernel's word and in the receiver's namespaces. */
export interface Sender {
  pid: number
  uid: number
  gid: number
}

/** What one accepted message says. */
export class Notification {
  readonly assignments: ParsedAssignments
  /** The lines that are no assignment known here, as text. A manager ignores them. */
  readonly unknown: readonly string[]
  /** Assignments with values that a manager warns about and does not use. */
  readonly problems: readonly MessageProblem[]
  readonly sender: Sender
  #fds: readonly number[]
  #pidfd: number | undefined

  /** Made by the receiver. */
  constructor(
    message: AcceptedMessage,
    sender: Sender,
    fds: readonly number[],
    pidfd: number | undefined,
  ) {
    this.assignments = message.assignments
    this.unknown = message.unknown
    this.problems = message.problems
    this.sender = sender
    this.#fds = fds
    this.#pidfd = pidfd
  }

  /** How many descriptors came along and were not taken. */
  get fdCount(): number {
    return this.#fds.length
  }

  /** Takes over the descriptors; the caller closes them, with `closeForeignFds`. */
  takeFds(): readonly number[] {
    const fds = this.#fds
    this.#fds = []
    return fds
  }

  /** Takes over the sender's pidfd, if one was asked for and the kernel gave one; the caller closes it. */
  takePidfd(): number | undefined {
    const pidfd = this.#pidfd
    this.#pidfd = undefined
    return pidfd
  }

  /** Closes what nobody took. The receiver calls it when `onNotification` has returned. */
  dispose(): void {
    closeForeignFds(this.takeFds())
    const pidfd = this.takePidfd()
    if (pidfd !== undefined) closeFd(pidfd)
  }
}
