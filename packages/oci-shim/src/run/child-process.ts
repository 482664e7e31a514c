import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import {
  closeFd,
  pidfdOpen,
  type Signal,
  signalNumber,
  type StartState,
  waitForExit,
  withSoftFileLimit,
} from '@sdbridge/syscalls'
import type { Command } from '../engines/launch.js'
import { type Ending, endingOfStatus } from './ending.js'
import { resolveProgram } from './program-file.js'
import { startFailure } from './start-failure.js'

export interface ChildOptions {
  readonly env: NodeJS.ProcessEnv
  /** What it finds from descriptor 3 on, with LISTEN_PID. */
  readonly fds: readonly number[]
  /** What it would have inherited if Node had not been in between. */
  readonly state: Pick<StartState, 'softFileLimit' | 'ignoredSignals'>
}

/** The program that runs the container, with the unit's own standard streams. */
export class Child {
  readonly pid: number
  /** Settles when it has ended, and is never rejected. */
  readonly ended: Promise<Ending>
  #hasEnded = false

  /**
   * Starts it.
   *
   * @throws BridgeError `ERR_BRIDGE_NOT_FOUND`, `ERR_BRIDGE_NOT_EXECUTABLE`, `ERR_BRIDGE_FAILED`.
   */
  static async start(command: Command, { env, fds, state }: ChildOptions): Promise<Child> {
    const program = resolveProgram(command.file, env)
    const prelude = preludeFor(fds.length, state.ignoredSignals)
    const words =
      prelude === ''
        ? [program, ...command.args]
        : ['/bin/sh', '-c', `${prelude}exec "$@"`, 'sdbridge', program, ...command.args]
    const [file, ...args] = words as [string, ...string[]]
    try {
      const child = withSoftFileLimit(state.softFileLimit, () =>
        spawn(file, args, {
          env,
          stdio: ['inherit', 'inherit', 'inherit', ...fds],
          argv0: argv0Of(prelude, command),
        }),
      )
      if (child.pid !== undefined) return new Child(child, child.pid)
      throw ((await once(child, 'error')) as [Error])[0]
    } catch (error) {
      throw startFailure(program, error as NodeJS.ErrnoException)
    }
  }

  private constructor(child: ChildProcess, pid: number) {
    this.pid = pid
    this.ended = endOf(child, pid).then((ending) => {
      this.#hasEnded = true
      return ending
    })
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Sends it a signal. What has ended hears none, nor does what has become another user's (sudo). */
  kill(signal: Signal): void {
    if (this.#hasEnded) return
    try {
      // Not by its own method, which knows no real-time signals.
      process.kill(this.pid, signalNumber(signal))
    } catch {
      // There is nobody to tell: what it does about a signal is its own affair.
    }
  }
}

/** Of a child that another has waited for, nothing is known but that it was no success. */
const LOST: Ending = { code: 125 }
const PAUSE_MS = 1000

// To Node, a death by a real-time signal is the exit code 0: libuv has no name for it. So Node is kept from waiting for this child,
// which it does by number in a turn of the event loop; until the first of them it has not. Nothing public does that.
function endOf(child: ChildProcess, pid: number): Promise<Ending> {
  const { _handle: handle } = child as { _handle?: { close?: () => void } | null }
  try {
    if (typeof handle?.close !== 'function') return endByNode(child)
    const pidfd = pidfdOpen(pid)
    handle.close()
    return endByKernel(pidfd).finally(() => closeFd(pidfd))
  } catch {
    // There is no descriptor for it.
    return endByNode(child)
  }
}

async function endByKernel(pidfd: number): Promise<Ending> {
  for (;;) {
    try {
      const status = await waitForExit(pidfd, { reap: true })
      return status === undefined ? LOST : endingOfStatus(status)
    } catch {
      // No memory for the waiting, say.
      await delay(PAUSE_MS)
    }
  }
}

function endByNode(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code: code ?? undefined, signal: signal ?? undefined })
    })
  })
}

// LISTEN_PID is the child's own pid, which nobody knows before the fork: the shell is that process already, and exec keeps the
// number. libuv gives each signal its default action; those that were ignored at our start are so again.
function preludeFor(fdCount: number, ignoredSignals: readonly number[]): string {
  const ignored = ignoredSignals.filter((signal) => signal < 32)
  const trap = ignored.length > 0 ? `trap '' ${ignored.join(' ')}; ` : ''
  return trap + (fdCount > 0 ? 'export LISTEN_PID=$$; ' : '')
}

// A program that asks for its own name gets what the command line says.
function argv0Of(prelude: string, command: Command): string | undefined {
  return prelude === '' ? command.file : undefined
}
