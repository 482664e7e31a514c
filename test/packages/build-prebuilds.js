// @ts-check
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runQuietly } from '../support/run-quietly.js'
import { Missing } from '../support/outcomes.js'

/** What is published, and the compiler that makes it on a machine of another kind; its own has just `cc`. */
const CROSS_COMPILERS = { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' }

/**
 * Builds the addon for every architecture, each twice and in two folders: what is published must not depend on when
 * and where it was built.
 *
 * @param {string} checkout a clean one
 * @returns {Promise<Record<string, Buffer>>} the binaries by architecture
 */
export async function buildPrebuilds(checkout) {
  const syscalls = join(checkout, 'packages/syscalls')
  const elsewhere = join(checkout, 'packages/syscalls-built-again')
  cpSync(syscalls, elsewhere, { recursive: true, verbatimSymlinks: true })
  try {
    /** @type {Record<string, Buffer>} */
    const binaries = {}
    for (const arch of /** @type {const} */ (['x64', 'arm64'])) {
      const [first, second] = [await build(syscalls, arch), await build(elsewhere, arch)]
      if (!first.equals(second)) throw new Error(`two builds for ${arch} differ`)
      binaries[arch] = first
    }
    return binaries
  } finally {
    rmSync(elsewhere, { recursive: true, force: true })
  }
}

/**
 * @param {string} syscalls
 * @param {keyof typeof CROSS_COMPILERS} arch
 */
async function build(syscalls, arch) {
  const compiler = arch === process.arch ? 'cc' : CROSS_COMPILERS[arch]
  try {
    await runQuietly(compiler, ['--version'])
  } catch {
    const debianPackage = `gcc${{ x64: '-x86-64', arm64: '-aarch64' }[arch]}-linux-gnu`
    throw new Missing(`${compiler} does not work here: apt-get install ${debianPackage}`)
  }
  const { CFLAGS: _, ...env } = process.env
  const script = join(syscalls, 'native/build.js')
  await runQuietly(process.execPath, [script, '--arch', arch], { env: { ...env, CC: compiler } })
  return readFileSync(join(syscalls, `prebuilds/linux-${arch}.node`))
}
