import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Makes a bundle of our own: another `config.json`, and links to whatever else lies in the user's, for hooks that look for
 * their files in the working directory. Replaces what an earlier run may have left there.
 */
export async function writeBundle(
  directory: string,
  { original, text }: { original: string; text: string },
): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { mode: 0o700, recursive: true })
  const file = join(directory, 'config.json')
  await writeFile(`${file}.new`, text, { mode: 0o600, flag: 'wx' })
  await rename(`${file}.new`, file)
  // Not before the file, which would be written through a link of its name.
  for (const name of await readdir(original))
    if (name !== 'config.json') await symlink(join(original, name), join(directory, name))
}
