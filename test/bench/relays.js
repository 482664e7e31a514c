import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bridgeWords, startNode } from './bridge.js'

/**
 * What passes messages on.
 *
 * @typedef {{ path: string, stop: () => Promise<unknown> }} Relay Where it takes them.
 * @typedef {(workshop: import('./workshop.js').Workshop, upstream: string) => Promise<Relay>} StartRelay
 */

export const C_RELAY = 'C: recvmsg(), sendto()'
export const SOCAT = 'socat UNIX-RECV UNIX-SENDTO'

/** @type {[title: string, start: StartRelay][]} */
export const RELAYS = [
  [C_RELAY, startC],
  ...(spawnSync('socat', ['-V']).status === 0
    ? [/** @type {[string, StartRelay]} */ ([SOCAT, startSocat])]
    : []),
  ['sdbridge run', startBridge],
]

/** @type {StartRelay} */
async function startC(workshop, upstream) {
  const path = workshop.newSocketPath()
  const relay = await workshop.start(workshop.peer, ['relay', path, upstream]).ready()
  return { path, stop: () => relay.kill() }
}

/** @type {StartRelay} */
async function startSocat(workshop, upstream) {
  const path = workshop.newSocketPath()
  const socat = workshop.start('socat', ['-u', `UNIX-RECV:${path}`, `UNIX-SENDTO:${upstream}`])
  await untilBound(path)
  return { path, stop: () => socat.kill() }
}

/** @type {StartRelay} */
async function startBridge(workshop, upstream) {
  const directory = workshop.newFolder()
  const bridge = await startNode(workshop, bridgeWords(workshop), upstream, directory).ready()
  // No unit has started it, so its own directory has another name each time.
  const [unit = ''] = readdirSync(directory)
  return { path: join(directory, unit, 'notify/notify.sock'), stop: () => bridge.stop().end() }
}

/** @param {string} path */
async function untilBound(path) {
  const end = Date.now() + 10_000
  while (!existsSync(path)) {
    if (Date.now() > end) throw new Error(`nobody has bound ${path} in ten seconds`)
    await delay(5)
  }
}
