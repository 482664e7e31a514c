import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** @typedef {import('./groups.js').Setting} Setting */

const HOOKS = fileURLToPath(new URL('contestants/hooks.js', import.meta.url))
const HOOK = join(
  dirname(createRequire(import.meta.url).resolve('@sdbridge/oci-shim/package.json')),
  'bin/sdbridge-hook.cjs',
)
const EMPTY = 'an empty script'
/** A process's start varies more than what is measured. */
const RUNS = 5
/** The places of the daemon and of its hooks are the same on each machine: nobody else is to see what is there. */
const OWN_PLACES = ['--mount', '--propagation', 'private', 'sh', '-c']
const OWN_RUN = 'mount -t tmpfs tmpfs /run && exec "$@"'

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function hookGroup({ workshop }) {
  const isPossible = spawnSync('unshare', [...OWN_PLACES, OWN_RUN, 'sh', 'true']).status === 0
  /** @param {string[]} command @param {number} answers how many of the daemon's it waits for */
  const run = async (command, answers) => {
    if (!isPossible) return undefined
    const words = [HOOKS, workshop.newFolder(), `${RUNS}`, ...command]
    const outcome = await workshop
      .start('unshare', [...OWN_PLACES, OWN_RUN, 'sh', process.execPath, ...words])
      .outcome()
    const { wall, answers: found } = /** @type {{ wall: number, answers: number }} */ (
      /** @type {unknown} */ (outcome)
    )
    if (found !== answers * RUNS) throw new Error(`${found} requests: ${command.join(' ')}`)
    return { time: wall }
  }
  const node = (/** @type {string[]} */ ...words) => [process.execPath, ...words]
  const empty = join(workshop.directory, 'empty.cjs')
  writeFileSync(empty, '')
  return {
    name: 'hook',
    title: 'Hooks: what an engine waits for',
    method:
      'From the start of the program until its end. Who answers is at the place of the daemon, and does so at once; the real one asks systemd about the unit first, ' +
      'as `systemctl show` does. The state is on standard input, and the environment is empty.',
    unit: 'ms',
    second: { title: 'sh -c true', name: 'sh' },
    contestants: [
      { title: EMPTY, run: () => run(node(empty), 0) },
      {
        title: 'sdbridge hook createRuntime',
        run: () => run(node(HOOK, 'hook', 'createRuntime'), 1),
      },
      { title: 'sdbridge hook poststop', run: () => run(node(HOOK, 'hook', 'poststop'), 1) },
      { title: 'sh -c true', run: () => run(['/bin/sh', '-c', 'true'], 0) },
    ],
  }
}
