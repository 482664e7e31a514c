// @ts-check
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where this repository is on the host. */
export const repositoryPath = resolve(fileURLToPath(new URL('../..', import.meta.url)))

const INSIDE = '/srv/sdbridge'

/**
 * Shows the repository in a machine: not where it is on the host, which may be below /tmp or /root, and these a unit
 * with `DynamicUser=` does not see.
 */
export const repositoryBind = { path: repositoryPath, target: INSIDE }

/**
 * Where a file of the repository is in a machine.
 *
 * @param {string} path from the top of the repository
 * @returns {string}
 */
export function inside(path) {
  return join(INSIDE, path)
}
