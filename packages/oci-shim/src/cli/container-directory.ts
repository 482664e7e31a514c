import { posix } from 'node:path'
import { UsageError } from './usage-error.js'

export const DEFAULT_CONTAINER_DIRECTORY = '/run/notify'

/** The value of `--container-directory`. @throws UsageError */
export function containerDirectoryOf(text: string): string {
  // Engines take `:` and `,` to end a path.
  const path = posix.normalize(text).replace(/\/$/, '')
  const isPlain = /^\/[^:,\p{Cc}]+$/u.test(path) && !text.split('/').includes('..')
  // In /proc and /sys nothing can be mounted, and / is all there is.
  if (isPlain && !/^\/(?:proc|sys)(?:\/|$)/.test(path)) return path
  throw new UsageError(
    `--container-directory must be an absolute path, below /, without : or , and not in /proc or /sys, not '${text}'`,
  )
}
