import { setTimeout as delay } from 'node:timers/promises'
import type { Signal } from '@sdbridge/syscalls'
import type { NotifyProxy } from '../proxy/notify-proxy.js'
import type { Child } from './child-process.js'
import type { ContainerStop } from './container-stop.js'
import { tell } from './operator-log.js'
import type { OwnContainer } from './own-container.js'
import type { PreparedRun } from './prepare-run.js'
import { signalContainer } from './signal-container.js'
import type { SignalInbox } from './signal-inbox.js'

/** For the payload to write a core, after the watchdog's SIGABRT. */
const ABORT_MS = 10_000

export interface Running {
  readonly child: Child
  /** `undefined` for a command that is no known engine. */
  readonly own: OwnContainer | undefined
  readonly proxy: NotifyProxy
  readonly stop: ContainerStop
  readonly ended: Promise<unknown>
}

/** Does from now on what the service manager and the operator ask for by signals, and what they have asked for so far. */
export function answerSignals(
  { host, plan }: PreparedRun,
  inbox: SignalInbox,
  { child, own, proxy, stop, ended }: Running,
): void {
  const passOn = async (signal: Signal): Promise<void> => {
    if (plan === undefined || own === undefined) return child.kill(signal)
    await signalContainer(plan.command, own, signal, host.passedOn)
  }
  const abort = async (signal: Signal): Promise<void> => {
    await passOn(signal)
    await Promise.race([ended, delay(ABORT_MS, undefined, { ref: false })])
    // A payload that is process 1 does not die of a signal for which it has no handler.
    await stop.kill()
  }
  inbox.open({
    onStop: (signal) => void stop.stop(signal),
    onAbort: (signal) => void abort(signal),
    onPassOn: (signal) => void passOn(signal),
    onSummary: () => tellSummary(proxy),
  })
}

/** What has been passed on, and what has not and why. */
export function tellSummary(proxy: NotifyProxy): void {
  for (const line of proxy.summary().split('\n')) tell(line)
}
