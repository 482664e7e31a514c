// @ts-check
import { readFile } from 'node:fs/promises'
import { inside } from './repository.js'

const DIRECTORY = new URL('../../examples/container-runc/', import.meta.url)

/**
 * Puts the `sdbridge` command where unit files look for it, as its installation does.
 *
 * @param {import('./machine/machine.js').Machine} machine that sees this repository
 * @returns {Promise<void>}
 */
export async function installSdbridge(machine) {
  const program = inside('packages/oci-shim/bin/sdbridge.js')
  await machine.run('ln', ['-s', program, '/usr/bin/sdbridge'])
}

/**
 * Installs examples/container-runc in a machine, its unit files as they are, and starts its socket.
 *
 * @param {import('./machine/machine.js').Machine} machine that sees this repository, and has `sdbridge`
 * @returns {Promise<void>}
 */
export async function installContainerExample(machine) {
  await machine.run(machine.nodePath, [
    inside('examples/container-runc/make-bundle.js'),
    '/srv/web',
  ])
  for (const name of ['web.socket', 'web.service']) {
    await machine.writeUnit(name, await readFile(new URL(name, DIRECTORY), 'utf8'))
  }
  await machine.systemctl('start', 'web.socket')
}
