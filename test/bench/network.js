import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'

/** How many messages a socket's queue holds. systemd sets 512 at boot; the kernel's own default is 10. */
const QUEUE_LENGTH = '/proc/sys/net/unix/max_dgram_qlen'
const SYSTEMD_QUEUE_LENGTH = 512
const INSIDE = 'SDBRIDGE_BENCH_INSIDE'

export function queueLength() {
  return Number(readFileSync(QUEUE_LENGTH, 'utf8'))
}

/**
 * What {@link runAsUnderSystemd} was given, in the program that it has started.
 *
 * @returns {Record<string, string> | undefined}
 */
export function handedOver() {
  const text = process.env[INSIDE]
  return text === undefined ? undefined : JSON.parse(text)
}

/**
 * Runs this program again in a network namespace of its own, whose queues are as long as under systemd. The
 * machine's setting is not touched. Where that is not possible, returns false and all stays as it is.
 *
 * @param {Record<string, string>} knowledge handed over to it
 * @returns {Promise<boolean>} whether it ran, and {@link process.exitCode} is what it ended with
 */
export async function runAsUnderSystemd(knowledge) {
  if (process.env[INSIDE] !== undefined) {
    writeFileSync(QUEUE_LENGTH, `${SYSTEMD_QUEUE_LENGTH}`)
    return false
  }
  if (queueLength() >= SYSTEMD_QUEUE_LENGTH) return false
  if (spawnSync('unshare', ['--net', 'true']).status !== 0) return false

  const words = ['--net', process.execPath, ...process.argv.slice(1)]
  const child = spawn('unshare', words, {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: JSON.stringify(knowledge) },
  })
  // Ctrl-C reaches the child by itself; it cleans up and ends.
  process.removeAllListeners('SIGINT').on('SIGINT', () => {})
  process.removeAllListeners('SIGTERM').on('SIGTERM', () => child.kill('SIGTERM'))
  const [code] = await once(child, 'exit')
  process.exitCode = code ?? 1
  return true
}
