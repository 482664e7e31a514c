import { accessSync } from 'node:fs'

/**
 * Whether this system was booted with systemd as its init (sd_booted(3)): `/run/systemd/system` exists.
 *
 * Not a question that a service needs to ask before {@link notify}: there, `$NOTIFY_SOCKET` alone decides, and it may be set
 * where the answer here is no, in a container for example.
 *
 * @example
 * ```js
 * import { booted } from '@sdbridge/notify'
 *
 * console.log(booted() ? 'systemd is PID 1 here' : 'another init is, or none')
 * ```
 */
export function booted(): boolean {
  try {
    accessSync('/run/systemd/system/')
    return true
  } catch {
    return false
  }
}
