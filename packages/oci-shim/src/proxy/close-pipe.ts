import { closeFd } from '@sdbridge/syscalls'

/** Closes both ends of a pipe of ours. */
export function closePipe({ readFd, writeFd }: { readFd: number; writeFd: number }): void {
  closeFd(readFd)
  closeFd(writeFd)
}
