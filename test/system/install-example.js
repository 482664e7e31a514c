// @ts-check
import { readFile, writeFile } from 'node:fs/promises'
import { inside } from './repository.js'

const GREETING_FILE = '/run/greeting.txt'
const DIRECTORY = new URL('../../examples/http-service/', import.meta.url)

/**
 * Installs the unit files of examples/http-service in a machine and starts its socket: the files as they are, apart
 * from where node, the service and its greeting are, and how long the watchdog waits.
 *
 * @param {import('./machine/machine.js').Machine} machine that sees this repository
 * @returns {Promise<void>}
 */
export async function installExample(machine) {
  const service = replaceOnce(
    replaceOnce(
      await unit('app.service'),
      'WatchdogSec=10',
      `WatchdogSec=1\nLimitCORE=0\nEnvironment=GREETING_FILE=${GREETING_FILE}`,
    ),
    '/usr/bin/node /srv/http-service/server.js',
    `${machine.nodePath} ${inside('examples/http-service/server.js')}`,
  )
  await changeGreeting(machine, 'Hello from sdbridge')
  await machine.writeUnit('app.socket', await unit('app.socket'))
  await machine.writeUnit('app.service', service)
  if ((await machine.systemdVersion()) < 253) {
    await machine.writeUnit(
      'app.service.d/type-notify.conf',
      await unit('app.service.d/type-notify.conf'),
    )
  }
  await machine.systemctl('start', 'app.socket')
}

/**
 * Makes the example greet with another text after its next reload.
 *
 * @param {import('./machine/machine.js').Machine} machine
 * @param {string} text
 * @returns {Promise<void>}
 */
export async function changeGreeting(machine, text) {
  await writeFile(machine.path(GREETING_FILE), `${text}\n`)
}

/** @param {string} name */
function unit(name) {
  return readFile(new URL(name, DIRECTORY), 'utf8')
}

/**
 * @param {string} text
 * @param {string} old
 * @param {string} replacement
 */
function replaceOnce(text, old, replacement) {
  if (!text.includes(old)) throw new Error(`the example's unit file no longer has the line ${old}`)
  return text.replace(old, () => replacement)
}
