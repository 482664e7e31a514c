import { readFileSync } from 'node:fs'

/**
 * Whether the runtime that has called this hook passes notifications on itself: runc and crun do if they are started with `$NOTIFY_SOCKET`, and have the
 * container notify a socket of their own, at which nearly everything is lost.
 */
export function hasOwnRelay(): boolean {
  try {
    const environment = readFileSync(`/proc/${process.ppid}/environ`, 'latin1')
    return environment.split('\0').some((each) => /^NOTIFY_SOCKET=./.test(each))
  } catch {
    return false
  }
}
