// @ts-check
import { execFile } from 'node:child_process'
import { copyFile, cp, mkdir, realpath, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { repositoryPath } from '../repository.js'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const execute = promisify(execFile)

/**
 * Makes an initial RAM file system: two archives, one behind the other, and the kernel unpacks both.
 *
 * @param {string} image the file to write
 * @param {string} root a folder with a Debian root file system
 * @param {string} kernel a folder with modules
 */
export async function makeImage(image, root, kernel) {
  const files = `${image}.files`
  try {
    await pack(image, root, ['bin', 'etc', 'lib', 'lib64', 'sbin', 'usr'])
    await collect(join(files, 'guest'), kernel)
    for (const name of ['dev', 'proc', 'run', 'sys', 'tmp']) await mkdir(join(files, name))
    await pack(image, files, ['.'])
  } finally {
    await rm(files, { recursive: true, force: true })
  }
}

/**
 * @param {string} image
 * @param {string} folder
 * @param {string[]} names
 */
async function pack(image, folder, names) {
  const script = 'image=$0 && find "$@" | busybox cpio --quiet -o -H newc >>"$image"'
  await execute('/bin/sh', ['-c', script, image, ...names], { cwd: folder })
}

/**
 * @param {string} guest
 * @param {string} kernel
 */
async function collect(guest, kernel) {
  await cp(kernel, guest, { recursive: true })
  await rm(join(guest, 'vmlinuz'))
  await copyFile(await pathOf('busybox'), join(guest, 'busybox'))
  for (const name of ['init.sh', 'agent.mjs', 'adopt.mjs', 'send.mjs']) {
    await copyFile(join(HERE, name), join(guest, name))
  }
  for (const name of ['listen-kinds-service.mjs', 'serve-kind.mjs']) {
    await copyFile(join(HERE, '../fixtures', name), join(guest, name))
  }
  for (const name of ['peer', 'refuse']) {
    await execute('cc', ['-O1', '-static', '-o', join(guest, name), join(HERE, `${name}.c`)])
  }
  await copyPackages(join(guest, 'node_modules'))
}

/** @param {string} folder */
async function copyPackages(folder) {
  const packages = join(repositoryPath, 'packages')
  const names = ['listen-fds', 'notify', 'syscalls']
  const parts = names.flatMap((name) => [`${name}/package.json`, `${name}/dist`])
  for (const part of [...parts, 'syscalls/prebuilds']) {
    await cp(join(packages, part), join(folder, '@sdbridge', part), { recursive: true })
  }
  // What it needs of others lies beside it.
  const debug = await realpath(join(packages, 'notify', 'node_modules', 'debug'))
  for (const name of ['debug', 'ms']) {
    await cp(join(dirname(debug), name), join(folder, name), { recursive: true, dereference: true })
  }
}

/** @param {string} command */
async function pathOf(command) {
  const { stdout } = await execute('/bin/sh', ['-c', `command -v ${command}`])
  return stdout.trim()
}
