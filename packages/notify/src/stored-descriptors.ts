import { fstatSync } from 'node:fs'
import { isSameDescription } from '@sdbridge/syscalls'

/** What this process has put into one manager's descriptor store, as far as it can know: nothing is ever answered. */
export class StoredDescriptors {
  #stored: readonly StoredDescriptor[] = []

  /** How many there are, without those of a name. */
  countWithout(name: string | undefined): number {
    return this.#stored.filter((stored) => stored.name !== name).length
  }

  /** The name under which the same open file is stored, those of one name left out. */
  nameOf(fd: number, without: string | undefined): string | undefined {
    return this.#stored.find((stored) => stored.name !== without && isSame(stored, fd))?.name
  }

  /** Returns what takes these back. */
  add(name: string, fds: readonly number[]): () => void {
    const added = fds.map((fd) => ({ name, fd, file: fileOf(fd) }))
    this.#stored = [...this.#stored, ...added]
    return () => {
      this.#stored = this.#stored.filter((stored) => !added.includes(stored))
    }
  }

  /** Returns what puts them back. */
  remove(name: string): () => void {
    const removed = this.#stored.filter((stored) => stored.name === name)
    this.#stored = this.#stored.filter((stored) => stored.name !== name)
    return () => {
      this.#stored = [...removed, ...this.#stored]
    }
  }
}

/**
 * Whether two descriptors of this process are the same open file, which the manager keeps once.
 *
 * A socket has one open file at all times, so its inode tells. Anything else may have been opened twice, and the kernel
 * compares; where it does not (a sandbox), nothing is claimed.
 */
export function isSameOpenFile(a: number, b: number): boolean {
  const [first, second] = [fileOf(a), fileOf(b)]
  if (!isSameInode(first, second)) return false
  return first.isSocket || isSameDescription(a, b) === true
}

interface StoredDescriptor {
  readonly name: string
  /** Its number here when it was stored; by now it may be closed, and the number another one's. */
  readonly fd: number
  readonly file: File
}

interface File {
  readonly device: bigint
  readonly inode: bigint
  readonly isSocket: boolean
  /** It has no name by which it could be opened once more: an unnamed pipe, or memory (memfd_create(2)), say. */
  readonly isUnnamed: boolean
}

function isSame({ fd, file }: StoredDescriptor, other: number): boolean {
  if (!isSameInode(file, fileOf(other))) return false
  if (file.isSocket) return true
  // The number may have been closed, and be in use again for a file that was opened once more.
  if (fd === other) return file.isUnnamed
  return isOpen(fd, file) && isSameDescription(fd, other) === true
}

function isOpen(fd: number, file: File): boolean {
  try {
    return isSameInode(fileOf(fd), file)
  } catch {
    return false
  }
}

function fileOf(fd: number): File {
  const stats = fstatSync(fd, { bigint: true })
  const isUnnamed = stats.isFIFO() || stats.nlink === 0n
  return { device: stats.dev, inode: stats.ino, isSocket: stats.isSocket(), isUnnamed }
}

function isSameInode(a: File, b: File): boolean {
  return a.device === b.device && a.inode === b.inode
}
