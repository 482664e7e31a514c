// @ts-check
import { chmod, readFile, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runQuietly } from '../../support/run-quietly.js'

/** The loader, and the C library, of Debian's package musl. */
export const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1'

const SHIM = fileURLToPath(new URL('libstdcxx-on-musl.c', import.meta.url))
const HOST_LIBRARIES = '/usr/lib/x86_64-linux-gnu'
// Where Node looks whether it has a program inside: the last character says so.
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:'

/**
 * A Node that runs on musl. Its parts: Node itself, taken out of the one-file pnpm by turning off the mark that says
 * that there is a program inside; musl of Debian; and Debian's C++ library, which is made for glibc, on top of the
 * few functions that it misses in musl (libstdcxx-on-musl.c). The C library, all that our addon uses, is musl's own.
 *
 * @param {string} pnpm the one-file pnpm
 * @param {string} folder for all of it
 * @returns {Promise<string>} a program that starts it
 */
export async function muslNode(pnpm, folder) {
  const bytes = await readFile(pnpm)
  const at = bytes.indexOf(`${FUSE}1`)
  if (at === -1 || bytes.includes(`${FUSE}1`, at + 1)) throw new Error(`no fuse in ${pnpm}`)
  bytes.write('0', at + FUSE.length)
  const node = join(folder, 'node')
  await writeFile(node, bytes)
  await chmod(node, 0o755)
  const starter = await onMusl(node, folder)

  const libraries = 'process.report.getReport().sharedObjects.join()'
  const loaded = await runQuietly(starter, ['-p', libraries])
  if (!loaded.includes('ld-musl') || loaded.includes('libc.so.6')) {
    throw new Error(`this Node does not run on musl: ${loaded}`)
  }
  return starter
}

/**
 * Lets a program that is made for musl, and wants its C++ library, start here.
 *
 * @param {string} program
 * @param {string} folder for what it needs
 * @returns {Promise<string>} a program that starts it
 */
export async function onMusl(program, folder) {
  const stub = join(folder, 'stub.so')
  const shared = ['-shared', '-nostartfiles']
  await runQuietly('musl-gcc', [
    ...shared,
    '-Wl,-soname,of-debian.so',
    '-xc',
    '/dev/null',
    '-o',
    stub,
  ])
  const flags = ['-O2', '-fPIC', '-Wall', '-Werror', '-Wl,--no-as-needed']
  const library = join(folder, 'libstdc++.so.6')
  await runQuietly('musl-gcc', [...shared, ...flags, SHIM, stub, '-o', library])
  await symlink(`${HOST_LIBRARIES}/libstdc++.so.6`, join(folder, 'of-debian.so'))
  await symlink(`${HOST_LIBRARIES}/libgcc_s.so.1`, join(folder, 'libgcc_s.so.1'))
  // Debian's C++ library asks for glibc's loader by name.
  await symlink(MUSL_LOADER, join(folder, 'ld-linux-x86-64.so.2'))

  const starter = join(folder, `${basename(program)}-musl`)
  const line = `LD_LIBRARY_PATH='${folder}' exec '${program}' "$@"`
  await writeFile(starter, `#!/bin/sh\n${line}\n`)
  await chmod(starter, 0o755)
  return starter
}
