import { readdirSync } from 'node:fs'
import { setCloexec } from '@sdbridge/syscalls'

/** Has nothing that is started inherit a descriptor of ours, whoever opened it: each gets what is meant for it. */
export function keepDescriptors(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    try {
      if (fd > 2) setCloexec(fd, true)
    } catch {
      // The one by which this list was read is closed by now.
    }
  }
}
