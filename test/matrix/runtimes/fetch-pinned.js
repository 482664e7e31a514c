// @ts-check
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { existsSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cacheFolder } from '../../support/cache-folder.js'
import { runQuietly } from '../../support/run-quietly.js'

/**
 * The one file of a pinned package that is executed, in the cache, with its headers beside it if it has any. Fetched when it is not there; a package whose
 * content is another is not even unpacked.
 *
 * @param {import('./pinned.js').Pinned} pinned
 * @param {(line: string) => void} say
 * @returns {Promise<string>}
 */
export async function fetchPinned(pinned, say) {
  const { package: name, version, file, headers = '', integrity } = pinned
  const cache = join(cacheFolder(), 'runtimes')
  // The name holds the content's hash, and what is taken of it: another pin is another folder.
  const tag = createHash('sha256').update(`${integrity}${headers}`).digest('hex').slice(0, 12)
  const folder = join(cache, `${basename(name)}-${version}-${tag}`)
  const wanted = join(folder, basename(file))
  if (existsSync(wanted)) return wanted

  await mkdir(cache, { recursive: true })
  const partial = await mkdtemp(join(cache, 'partial-'))
  const removePartial = () => rmSync(partial, { recursive: true, force: true, maxRetries: 9 })
  process.on('exit', removePartial)
  try {
    say(`fetching ${name}@${version}`)
    const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', partial]
    const output = await runQuietly('npm', [...args, `${name}@${version}`])
    const tarball = join(partial, output.trim().split('\n').at(-1) ?? '')
    const found = createHash('sha512')
      .update(await readFile(tarball))
      .digest('base64')
    if (`sha512-${found}` !== integrity) {
      throw new Error(`${name}@${version} is sha512-${found}, and pinned is ${integrity}`)
    }
    const members = ['--strip-components', String(file.split('/').length), `package/${file}`]
    await runQuietly('tar', ['-xzf', tarball, '-C', partial, ...members])
    if (headers !== '') {
      const folders = ['--strip-components', '1', `package/${headers}`]
      await runQuietly('tar', ['-xzf', tarball, '-C', partial, ...folders])
    }
    await rm(tarball)
    await chmod(join(partial, basename(file)), 0o755)
    await rm(folder, { recursive: true, force: true })
    await rename(partial, folder)
    return wanted
  } finally {
    removePartial()
    process.off('exit', removePartial)
  }
}
