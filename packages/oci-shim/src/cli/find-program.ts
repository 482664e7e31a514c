import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** The absolute path of a program, as a shell would find it by `$PATH`; `undefined` if there is none. */
export async function findProgram(
  name: string,
  path: string = process.env['PATH'] ?? '',
): Promise<string | undefined> {
  // Where runc is on many systems, and a user's PATH does not lead.
  const directories = [...path.split(':').filter(Boolean), '/usr/sbin', '/usr/local/sbin']
  for (const directory of directories) {
    const file = join(resolve(directory), name)
    if (await isExecutable(file)) return file
  }
  return undefined
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch {
    return false
  }
}
