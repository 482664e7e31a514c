// Sends one notification, with so many descriptors of /dev/null, as that process; 0: as this one.
import { openSync } from 'node:fs'
import { notify } from '@sdbridge/notify'

const [assignments, count, pid] = process.argv.slice(2)
const fds = Array.from({ length: Number(count) }, () => openSync('/dev/null', 'r'))
await notify(JSON.parse(assignments), { fds, ...(pid !== '0' && { pid: Number(pid) }) })
