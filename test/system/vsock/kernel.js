// @ts-check
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '../../support/cache-folder.js'

/** The package of Debian that depends on the kernel of its suite: without firmware and drivers, so that it is small. */
const PACKAGE = 'linux-image-cloud-amd64'

/** What a guest loads, in the order in which each finds what it needs. */
const MODULES = [
  'vsock',
  'vmw_vsock_virtio_transport_common',
  'vsock_loopback',
  'vmw_vmci',
  'vmw_vsock_vmci_transport',
]

const execute = promisify(execFile)

/**
 * Fetches Debian's kernel for virtual machines, of the suite of this machine, or finds the one that was fetched before
 * (see cache-folder.js). Nothing is installed.
 *
 * @returns {Promise<string>} a folder with `vmlinuz` and the modules that the tests load
 */
export async function ensureKernel() {
  const cache = cacheFolder()
  await mkdir(cache, { recursive: true })
  const found = (await readdir(cache)).find((name) => name.startsWith('kernel-'))
  if (found !== undefined) return join(cache, found)

  const name = await kernelPackage()
  const path = join(cache, name.replace('linux-image', 'kernel'))
  const partial = await mkdtemp(join(cache, 'kernel.partial-'))
  try {
    process.stderr.write(`kernel: fetching ${name}: once\n`)
    await fetchKernel(name, partial)
    // Another process may have been quicker: its folder is as good.
    await rename(join(partial, 'ready'), path).catch((error) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(partial, { recursive: true })
  }
  return path
}

/** @returns {Promise<string>} */
async function kernelPackage() {
  const { stdout } = await execute('apt-cache', ['show', '--no-all-versions', PACKAGE]).catch(
    () => ({ stdout: '' }),
  )
  const name = /^Depends: (linux-image-[^ ,]+)/m.exec(stdout)?.[1]
  if (name !== undefined) return name
  throw new Error(`apt knows no package ${PACKAGE}: run apt-get update, on Debian.`)
}

/**
 * @param {string} name
 * @param {string} folder
 */
async function fetchKernel(name, folder) {
  const asRoot = ['-o', 'APT::Sandbox::User=root']
  await execute('apt-get', ['download', '-q', ...asRoot, name], { cwd: folder })
  const [archive = ''] = await readdir(folder)
  const all = join(folder, 'all')
  const ready = join(folder, 'ready')
  await execute('dpkg-deb', ['-x', archive, all], { cwd: folder })
  await mkdir(ready)
  const files = await readdir(all, { recursive: true })
  /** @param {RegExp} pattern */
  const find = (pattern) => {
    const file = files.find((each) => pattern.test(each))
    if (file === undefined) throw new Error(`${name} has no ${pattern}`)
    return join(all, file)
  }
  await copyFile(find(/^boot\/vmlinuz-/), join(ready, 'vmlinuz'))
  for (const module of MODULES) {
    const file = find(new RegExp(`/${module}\\.ko(\\.xz)?$`))
    const copy = join(ready, basename(file))
    await copyFile(file, copy)
    if (copy.endsWith('.xz')) await execute('busybox', ['unxz', copy])
  }
}
