// @ts-check
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'

/**
 * @typedef {object} Journal
 * @property {(unit: string) => string} output what the unit's processes wrote to standard output
 *   and error so far
 * @property {() => Promise<void>} close
 */

/**
 * Stands in for systemd-journald: the service manager connects the standard output and error of a
 * service (unless its unit file says otherwise) to the socket `/run/systemd/journal/stdout`, and
 * sends a header of seven lines in front. This way the output of every service is at hand at once,
 * in this process, and no unit has to be changed for a test.
 *
 * @param {string} path the socket to listen on
 * @param {(unit: string, text: string) => void} [onOutput] called with each piece as it arrives
 * @returns {Promise<Journal>}
 */
export async function listenAsJournal(path, onOutput) {
  /** @type {Map<string, string>} */
  const outputs = new Map()
  /** @type {Set<import('node:net').Socket>} */
  const connections = new Set()

  const server = createServer((connection) => {
    connections.add(connection)
    // A killed machine resets its connections: an end like any other.
    connection.on('error', () => connection.destroy())
    connection.on('close', () => connections.delete(connection))
    readStream(connection, (unit, text) => {
      outputs.set(unit, ((outputs.get(unit) ?? '') + text).slice(-KEPT_CHARACTERS))
      onOutput?.(unit, text)
    })
  })
  server.listen(path)
  await once(server, 'listening')
  // The manager connects with the identity that the service will have.
  await chmod(path, 0o666)

  return {
    output: (unit) => outputs.get(unit) ?? '',
    async close() {
      for (const connection of connections) connection.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

const KEPT_CHARACTERS = 1024 * 1024

// identifier, unit, priority, whether lines have a <priority> prefix, and three for forwarding
const HEADER_LINES = 7

/**
 * @param {import('node:net').Socket} connection
 * @param {(unit: string, text: string) => void} onText
 */
function readStream(connection, onText) {
  let head = ''
  let unit = ''
  connection.setEncoding('utf8')
  connection.on('data', (/** @type {string} */ text) => {
    if (unit) {
      onText(unit, text)
      return
    }
    head += text
    const lines = head.split('\n')
    if (lines.length <= HEADER_LINES) return
    // A service of a `systemd --user` has no unit there.
    unit = lines[1] || lines[0] || 'unknown'
    const rest = lines.slice(HEADER_LINES).join('\n')
    if (rest) onText(unit, rest)
  })
}
