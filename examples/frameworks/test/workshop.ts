import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'

/** Where the programs are. */
export const FOLDER: string = fileURLToPath(new URL('..', import.meta.url))

/**
 * Puts a program where its test may change it, with all that it imports.
 *
 * @param port In place of 8080, which may be taken on the machine that tests.
 * @param more Folders of packages that are not installed here.
 * @returns The path of the copy.
 */
export function copyOf(
  file: string,
  { port = 8080, more = [] }: { port?: number; more?: readonly string[] } = {},
): string {
  const folder = temporaryDirectory()
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  const installed = readdirSync(join(FOLDER, 'node_modules'))
  const packages = installed.map((name) => join(FOLDER, 'node_modules', name))
  for (const each of [...packages, ...more]) symlinkSync(each, join(modules, basename(each)))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const code = readFileSync(join(FOLDER, file), 'utf8')
  writeFileSync(join(folder, file), code.replaceAll('8080', String(port)))
  return join(folder, file)
}
