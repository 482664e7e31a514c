// Becomes a shell that reads from descriptor 4, and tells its pid, its argument and its limit.
import { writeSync } from 'node:fs'
import { execve, pipe, setNonBlocking } from '@sdbridge/syscalls'

const { readFd, writeFd } = pipe()
setNonBlocking(readFd, false)
writeSync(writeFd, 'from the pipe\n')
execve(
  '/bin/sh',
  ['-c', 'read -r line <&4; echo $$ "$1" "$line" $(ulimit -S -n); exit 5', 'sh', 'argument'],
  {
    fds: { 4: readFd },
    state: { softFileLimit: 100, ignoredSignals: [], blockedSignals: [] },
  },
)
