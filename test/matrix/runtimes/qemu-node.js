// @ts-check
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where Debian's cross compiler has the C library of arm64. */
export const ARM64_ROOT = '/usr/aarch64-linux-gnu'

/**
 * A program that starts an arm64 Node under qemu. The kernel cannot start that Node, nor can a child that it wants
 * (`process.execPath`): what starts one goes through this file.
 *
 * @param {string} node
 * @param {string} folder for the program
 * @returns {Promise<string>}
 */
export async function qemuNode(node, folder) {
  const file = join(folder, 'node-arm64')
  await writeFile(file, `#!/bin/sh\nexec qemu-aarch64-static -L ${ARM64_ROOT} '${node}' "$@"\n`)
  await chmod(file, 0o755)
  return file
}
