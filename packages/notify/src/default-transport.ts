import { loadAddon } from '@sdbridge/syscalls'
import { addonTransport } from './addon-transport.js'
import { systemdNotifyPath } from './systemd-notify-path.js'
import { systemdNotify } from './systemd-notify.js'
import type { Transport } from './transport.js'
import { warnOnce } from './warn-once.js'

/** The addon; where it has no binary for this machine, the program of systemd. */
export const defaultTransport: Transport = {
  name: 'default',
  open(address) {
    try {
      loadAddon()
    } catch (error) {
      const program = systemdNotifyPath()
      if (program === undefined) throw error
      warnOnce(
        'NOTIFY_ADDON_UNAVAILABLE',
        `notifications are sent by ${program}, which is slow, carries no descriptors, and without root speaks as another ` +
          `process, so that the unit needs NotifyAccess=all: ${(error as Error).message}`,
      )
      return systemdNotify.open(address)
    }
    return addonTransport.open(address)
  },
}
