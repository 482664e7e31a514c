// Tries to become a program that is not there, and goes on.
import { readSync, writeSync } from 'node:fs'
import { execve, pipe } from '@sdbridge/syscalls'

const { readFd, writeFd } = pipe()
try {
  execve('/nonexistent', [], { fds: { 3: readFd, 4: writeFd, 5: readFd, [readFd]: writeFd } })
} catch (error) {
  await new Promise((resolve) => setTimeout(resolve, 1))
  writeSync(writeFd, 'the pipe still works')
  const bytes = Buffer.alloc(100)
  const length = readSync(readFd, bytes)
  process.stdout.write(`${error.code} ${error.syscall}, and ${bytes.subarray(0, length)}\n`)
}
