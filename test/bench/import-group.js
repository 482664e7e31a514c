import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pathOfRival } from '../support/rivals.js'

/** @typedef {import('./groups.js').Setting} Setting */

const PACKAGES = [
  '@sdbridge/syscalls',
  '@sdbridge/listen-fds',
  '@sdbridge/notify',
  '@sdbridge/notify/receiver',
  '@sdbridge/manager',
  '@sdbridge/oci-shim',
]

/** A process's start varies more than what is measured. */
const RUNS = 3

/** @param {Setting} setting @returns {import('./groups.js').Group} */
export function importGroup(setting) {
  const { rivals } = setting
  /** @type {[title: string, script: string][]} */
  const scripts = [
    ['an empty script', ''],
    ...PACKAGES.map(
      (name) => /** @type {[string, string]} */ ([name, importOf(import.meta.resolve(name))]),
    ),
    [
      '@sdbridge/notify and a first notify()',
      `import { notify } from '${import.meta.resolve('@sdbridge/notify')}'\nawait notify({ ready: true })\n`,
    ],
    ...rivals.map(
      (rival) =>
        /** @type {[string, string]} */ ([
          `npm ${rival}`,
          importOf(pathToFileURL(pathOfRival(rival)).href),
        ]),
    ),
  ]
  return {
    name: 'import',
    title: 'Importing',
    method:
      'The processor time of a whole process, from its start. The rivals load their addons at the import, ' +
      '@sdbridge/syscalls its own at the first call.',
    unit: 'ms',
    contestants: scripts.map(([title, script], index) => ({
      title,
      run: () => timeOfScript(setting, `${index}.mjs`, script),
    })),
  }
}

/** @param {string} url */
function importOf(url) {
  return `import '${url}'\n`
}

// Written as the C programs write it.
const REPORT = `const { user, system } = process.cpuUsage()
process.stdout.write(JSON.stringify({ cpu: (user + system) * 1000 }) + '\\n')
`

/** @param {Setting} setting @param {string} name @param {string} script @returns {Promise<import('./groups.js').Sample>} */
async function timeOfScript({ workshop }, name, script) {
  const file = join(workshop.directory, name)
  writeFileSync(file, script + REPORT)
  const path = workshop.newSocketPath()
  const sink = await workshop.start(workshop.peer, ['sink', path, '0']).ready()
  const env = { ...process.env, NOTIFY_SOCKET: path }
  let time = 0
  for (let run = 0; run < RUNS; run++) {
    const outcome = await workshop.start(process.execPath, [file], env).outcome()
    time += (outcome?.cpu ?? Number.NaN) / RUNS
  }
  await sink.stop().end()
  return { time }
}
