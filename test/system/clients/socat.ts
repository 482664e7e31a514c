import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { environment } from '../machine/enter.js'
import type { Machine } from '../machine/machine.js'
import { pidOfManager } from '../remote/pid-of-manager.js'

/**
 * Says something with the socat of this computer, in the network of a machine, and returns what comes back, once that holds `until`.
 *
 * @param address As socat writes it. A path is one of this computer: `machine.path()` tells it.
 */
export async function socat(
  machine: Machine,
  address: string,
  { says, until }: { says: string; until: string },
): Promise<string> {
  const enter = ['--target', `${pidOfManager(machine)}`, '--net', '--']
  const child = spawn('nsenter', [...enter, 'socat', '-T', '20', '-', address], {
    env: environment(),
  })
  const ended = once(child, 'close')
  let [heard, errors] = ['', '']
  child.stderr.on('data', (data) => (errors += String(data)))
  child.stdout.on('data', (data) => {
    heard += String(data)
    // A datagram socket has no end, so socat would wait for more.
    if (heard.includes(until)) child.kill()
  })
  child.stdin.on('error', () => {})
  child.stdin.write(says)
  await ended
  if (!heard.includes(until)) throw new Error(`socat ${address} heard: ${heard}\n${errors}`)
  return heard
}
