// How much of what C reaches is left in JavaScript, beside libsystemd and other packages. Nothing is asserted.
import { readFileSync, writeFileSync } from 'node:fs'
import { positiveInteger, readOptions, refuse } from '../support/options.js'
import { EngineMachine } from './engine-machine.js'
import { groups } from './groups.js'
import { busyMachine, describeMachine } from './machine.js'
import { handedOver, runAsUnderSystemd } from './network.js'
import { installRival, RIVALS } from '../support/rivals.js'
import { compare } from './rounds.js'
import { textTable } from './table.js'
import { Workshop } from './workshop.js'

/** @typedef {import('../support/rivals.js').Rival} Rival */

/**
 * What `--json` writes.
 *
 * @typedef {object} Report
 * @property {string} [warning] Why its numbers may be wrong.
 * @property {Record<string, string>} machine
 * @property {{ rounds: number, count: number }} options
 * @property {string[]} missing Who is not here, and why.
 * @property {import('./rounds.js').Comparison[]} comparisons
 */

const NAMES = /** @type {Rival[]} */ (Object.keys(RIVALS))
const DOCUMENT = new URL('../../docs/benchmarks.md', import.meta.url)
const HELP = `pnpm bench [options]

  --rounds N    how often each contestant runs (11)
  --count N     how many messages it sends or receives in each run (50000)
  --settle N    for how many seconds programs do nothing before their memory is measured (30)
  --only GROUP  ${Object.keys(groups).join(', ')}; may be given several times
  --no-rivals   leaves out the packages of npm, which are compiled and kept in ~/.cache/sdbridge
  --no-engines  leaves out what is measured in a machine with container engines
  --json FILE   writes all numbers
  --write       writes docs/benchmarks.md; with --only, the tables of other groups stay as they are

It needs a C compiler. As root it measures with queues as long as under systemd.
`

const values = readOptions(HELP, {
  rounds: { type: 'string', default: '11' },
  count: { type: 'string', default: '50000' },
  settle: { type: 'string', default: '30' },
  only: { type: 'string', multiple: true, default: Object.keys(groups) },
  'no-rivals': { type: 'boolean', default: false },
  'no-engines': { type: 'boolean', default: false },
  json: { type: 'string' },
  write: { type: 'boolean', default: false },
})
const rounds = positiveInteger(values.rounds, '--rounds')
const count = positiveInteger(values.count, '--count')
const settleMs = positiveInteger(values.settle, '--settle') * 1000
const wanted = values.only.map(
  (name) =>
    groups[name] ?? refuse(`--only ${name}: it must be one of ${Object.keys(groups).join(', ')}.`),
)

await main()

async function main() {
  const missing = handedOver() ?? (await installRivals())
  // After the installation, which needs the network.
  if (await runAsUnderSystemd(missing)) return

  endOnSignals()
  const rivals = NAMES.filter((name) => !values['no-rivals'] && !(name in missing))
  const workshop = new Workshop()
  process.on('exit', () => workshop.dispose())
  const warning = busyMachine()
  if (warning !== undefined) tell(warning)
  /** @type {Report} */
  const report = {
    ...(warning !== undefined && { warning }),
    machine: describeMachine(),
    options: { rounds, count },
    missing: Object.entries(missing).map(([name, reason]) => `${name}: ${reason}`),
    comparisons: [],
  }
  const engines = new EngineMachine(values['no-engines'] ? '--no-engines' : undefined)
  const setting = { workshop, engines, count, settleMs, rivals }
  try {
    for (const group of wanted.flatMap((makeGroups) => makeGroups(setting))) {
      report.comparisons.push(await compare(group, rounds, tell))
    }
  } finally {
    await engines.halt()
  }
  if (engines.reason !== undefined) report.missing.push(`container engines: ${engines.reason}`)
  for (const comparison of report.comparisons) process.stdout.write(`\n${textTable(comparison)}`)
  for (const sentence of report.missing) process.stdout.write(`\nnot here: ${sentence}\n`)
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
  }
  if (values.write) {
    const { markdownOf } = await import('./markdown.js')
    const all = Object.values(groups).flatMap((makeGroups) => makeGroups(setting))
    const order = all.map(({ title }) => title)
    writeFileSync(DOCUMENT, await markdownOf(report, readFileSync(DOCUMENT, 'utf8'), order))
  }
}

/** @returns {Promise<Record<string, string>>} Why a rival is not here. */
async function installRivals() {
  /** @type {Record<string, string>} */
  const missing = {}
  if (values['no-rivals']) return missing
  endOnSignals()
  for (const name of NAMES) {
    tell(`npm ${name} ${RIVALS[name]}`)
    const reason = await installRival(name)
    if (reason !== undefined) missing[name] = reason
  }
  return missing
}

// By process.exit(), which cleans up.
function endOnSignals() {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.removeAllListeners(signal)
    process.on(signal, () => process.exit(1))
  }
}

/** @param {string} text */
function tell(text) {
  process.stderr.write(`${text}\n`)
}
