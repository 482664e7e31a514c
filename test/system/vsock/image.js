// @ts-check
import { execFile } from 'node:child_process'
import { copyFile, cp, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { repositoryPath } from '../repository.js'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const execute = promisify(execFile)

// The largest of what is in the root file system for tests of containers. The guest has it all in memory, twice while it boots.
const LEFT_OUT = [
  ...['containerd', 'docker-buildx', 'docker-cli', 'docker-compose', 'docker.io'],
  ...['haproxy', 'netavark', 'nginx', 'podman', 'runc'],
]

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
    const leftOut = `${files}/left-out`
    await mkdir(files)
    await writeFile(leftOut, await filesOf(root, LEFT_OUT))
    await pack(image, root, ['bin', 'etc', 'lib', 'lib64', 'sbin', 'usr'], leftOut)
    await collect(join(files, 'guest'), kernel)
    for (const name of ['dev', 'proc', 'run', 'sys', 'tmp']) await mkdir(join(files, name))
    await pack(image, files, ['.'], leftOut)
  } finally {
    await rm(files, { recursive: true, force: true })
  }
}

/**
 * What dpkg has installed of packages, a path in each line as find(1) would print it. A suite may not have all of them.
 *
 * @param {string} root
 * @param {string[]} packages
 */
async function filesOf(root, packages) {
  const lists = await Promise.all(
    packages.map((name) =>
      readFile(join(root, 'var/lib/dpkg/info', `${name}.list`), 'utf8').catch(() => ''),
    ),
  )
  return lists.join('').replaceAll(/^\//gm, '')
}

/**
 * @param {string} image
 * @param {string} folder
 * @param {string[]} names
 * @param {string} leftOut a file with the paths of files that do not go in; folders do
 */
async function pack(image, folder, names, leftOut) {
  const script =
    'image=$0 left_out=$1 && shift && { find "$@" -type d && find "$@" ! -type d | grep -vxFf "$left_out"; } |' +
    ' busybox cpio --quiet -o -H newc >>"$image"'
  await execute('/bin/sh', ['-c', script, image, leftOut, ...names], { cwd: folder })
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
