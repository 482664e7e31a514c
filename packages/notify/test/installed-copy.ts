import { cpSync, mkdirSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'

const PACKAGES = fileURLToPath(new URL('../..', import.meta.url))

/** A project of its own, with what was built of these packages in its node_modules; `prebuilds` is the addon's binary. */
export function installedCopy(what: { prebuilds: boolean }): string {
  const project = temporaryDirectory()
  const modules = join(project, 'node_modules')
  for (const folder of ['notify', 'syscalls']) {
    const parts = ['package.json', 'dist', ...(what.prebuilds ? ['prebuilds'] : [])]
    for (const part of parts.filter((each) => each !== 'prebuilds' || folder === 'syscalls')) {
      const target = join(modules, '@sdbridge', folder, part)
      cpSync(join(PACKAGES, folder, part), target, { recursive: true })
    }
  }
  const debug = directoryOf('debug', join(PACKAGES, 'notify/package.json'))
  copy(debug, join(modules, 'debug'))
  copy(directoryOf('ms', join(debug, 'package.json')), join(modules, 'ms'))
  return project
}

function directoryOf(name: string, from: string): string {
  return dirname(realpathSync(createRequire(from).resolve(`${name}/package.json`)))
}

function copy(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  cpSync(from, to, { recursive: true, dereference: true })
}
