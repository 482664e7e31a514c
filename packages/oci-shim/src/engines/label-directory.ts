import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Gives a directory and what is in it the SELinux label that a container's own files have, so that it may use them. */
export async function labelDirectory(directory: string, label: string): Promise<void> {
  await promisify(execFile)('chcon', ['--recursive', '--', label, directory], { timeout: 10_000 })
}
