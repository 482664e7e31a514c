import { constants } from 'node:fs'
import { access, lstat, readlink, realpath, rmdir } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'

/**
 * The directories that a low-level runtime will make in a root file system so that something can be mounted at a path of it:
 * those that are missing there now, innermost first. Symbolic links are followed as the container will see them.
 *
 * @returns Paths without symbolic links; none if there is no such root, of which the runtime will complain.
 */
export async function missingMountpoints(
  directory: string,
  target: string,
): Promise<readonly string[]> {
  if (!(await isThere(directory))) return []
  const root = await realpath(directory)
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

/**
 * Removes mountpoints that a runtime has made, each if it is empty; safe to repeat. Where the container has put a symbolic link in the
 * way, which would lead out of its root file system, all stays.
 */
export async function removeMountpoints(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    try {
      const parent = dirname(directory)
      if ((await realpath(parent)) === parent) await rmdir(directory)
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
