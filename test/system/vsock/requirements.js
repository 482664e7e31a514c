// @ts-check
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/**
 * What this machine lacks to boot a `Guest`, each a sentence that says what to do about it.
 *
 * @returns {Promise<string[]>} empty when nothing is missing
 */
export async function missingForGuest() {
  if (process.arch !== 'x64') return [`A guest's kernel is of x64, and this is ${process.arch}.`]
  const commands = {
    'qemu-system-x86_64': 'qemu-system-x86',
    busybox: 'busybox',
    cc: 'gcc',
    'apt-get': 'apt',
    setpriv: 'util-linux',
  }
  const reasons = await Promise.all(
    Object.entries(commands).map(async ([command, name]) => {
      const isThere = await execute('/bin/sh', ['-c', `command -v ${command}`]).catch(() => false)
      return isThere ? [] : [`There is no ${command}: install ${name}.`]
    }),
  )
  return reasons.flat()
}
