import { constants } from 'node:fs'
import { access, lstat, readlink, rmdir } from 'node:fs/promises'
import { join, posix } from 'node:path'

/**
 * The directories that a low-level runtime will make in a root file system so that something can be mounted at a path of it:
 * those that are missing there now, innermost first. Symbolic links are followed as the container will see them.
 */
export async function missingMountpoints(root: string, target: string): Promise<readonly string[]> {
  const missing: string[] = []
  let inside = '/'
  const names = namesOf(target)
  let links = 0
  while (names.length > 0) {
    const name = names.shift() ?? ''
    const next = posix.join(inside, name)
    const link = missing.length > 0 ? undefined : await linkOf(join(root, next))
    if (link !== undefined) {
      links += 1
      // The runtime will complain of such a loop.
      if (links > 40) return []
      if (link.startsWith('/')) inside = '/'
      names.unshift(...namesOf(link))
      continue
    }
    inside = next
    if (missing.length > 0 || !(await isThere(join(root, inside))))
      missing.unshift(join(root, inside))
  }
  return missing
}

/** Whether nothing can be made in a directory because its file system is mounted read-only. */
export async function isOnReadOnly(directory: string): Promise<boolean> {
  try {
    await access(directory, constants.W_OK)
    return false
  } catch (error) {
    return codeOf(error) === 'EROFS'
  }
}

/** Removes mountpoints that a runtime has made, each if it is empty; safe to repeat. */
export async function removeMountpoints(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    try {
      await rmdir(directory)
    } catch (error) {
      // Somebody else has put something there by now, or taken it away.
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EBUSY', 'EROFS'].includes(codeOf(error)))
        throw error
    }
  }
}

// What a `..` would leave is the container's root at most.
function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}

async function linkOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    if (['EINVAL', 'ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined
    throw error
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return false
    throw error
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
