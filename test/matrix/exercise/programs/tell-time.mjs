// Tells the time of the monotonic clock.
import { monotonicUsec } from '@sdbridge/syscalls'

process.stdout.write(String(monotonicUsec()))
