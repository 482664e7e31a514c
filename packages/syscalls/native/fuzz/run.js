// Runs the fuzzer of the control data; `--help` tells how. With clang it is libFuzzer, which looks for inputs that
// reach new code; with another compiler a loop of random messages. Exit code 1: a finding.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { positiveInteger, readOptions } from '../../../../test/support/options.js'
import { run } from '../../../../test/support/run-quietly.js'
import { scratchDirectory } from '../../../../test/support/scratch.js'

const HELP = `Feeds what comes with datagrams, made up at random, to the functions that read it.

Usage: node native/fuzz/run.js [--seconds N]

  --seconds N  how long (30)
  --help

It takes libFuzzer of clang where it works, or else a loop. With SDBRIDGE_REQUIRE_SYSTEM=1 nothing but libFuzzer will do.
`

const here = dirname(fileURLToPath(import.meta.url))
const values = readOptions(HELP, { seconds: { type: 'string', default: '30' } })
const seconds = positiveInteger(values.seconds, '--seconds')
const isRequired = process.env.SDBRIDGE_REQUIRE_SYSTEM === '1'
const directory = scratchDirectory('fuzz')
const program = join(directory, 'control-fuzz')
const common = ['-std=c11', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-Wshadow']
const noRecovery = '-fno-sanitize-recover=all'

// The best that this machine has.
const kinds = [
  {
    compiler: 'clang',
    name: 'libFuzzer',
    flags: ['-fsanitize=fuzzer,address,undefined', noRecovery],
  },
  {
    compiler: 'cc',
    name: 'a loop',
    flags: ['-DSTANDALONE', '-fsanitize=address,undefined', noRecovery],
  },
  { compiler: 'cc', name: 'a loop, without sanitizers', flags: ['-DSTANDALONE'] },
]

process.exitCode = await fuzz()

async function fuzz() {
  const kind = await firstThatWorks(isRequired ? kinds.slice(0, 1) : kinds)
  if (kind === undefined) return isRequired ? 1 : 0
  say(`${seconds} seconds, by ${kind.compiler}: ${kind.name}`)
  const { status, signal, stderr } = await run(program, argumentsOf(kind), { cwd: directory })
  const done = /^Done (\d+) runs/m.exec(stderr)
  if (status === 0 && done !== null) {
    say(`${done[1]} inputs, no finding`)
    return 0
  }
  process.stderr.write(stderr)
  for (const name of readdirSync(directory).filter((each) =>
    /^(crash|leak|oom|timeout)-/.test(each),
  )) {
    say(`${name}: ${readFileSync(join(directory, name)).toString('base64')}`)
  }
  say(`FAILED (${signal ?? `exit code ${status}`})`)
  return 1
}

/** @param {typeof kinds} candidates */
async function firstThatWorks(candidates) {
  /** @type {import('../../../../test/support/run-quietly.js').Ended | undefined} */
  let built
  for (const kind of candidates) {
    built = await compile(kind.compiler, kind.flags)
    if (built.status === 0) return kind
  }
  if (built?.error === undefined) process.stderr.write(built?.stderr ?? '')
  const reason = built?.error?.message ?? 'it does not compile'
  say(isRequired ? `FAILED: libFuzzer of clang is required: ${reason}` : `skipped: ${reason}`)
  return undefined
}

/** @param {{ name: string }} kind */
function argumentsOf({ name }) {
  if (name !== 'libFuzzer') return [`${seconds}`]
  return [`-max_total_time=${seconds}`, '-max_len=2048', '-timeout=10']
}

/**
 * A compiler may know a flag and not have its library, so all is tried.
 *
 * @param {string} compiler
 * @param {string[]} flags
 */
function compile(compiler, flags) {
  const sources = [join(here, 'control-fuzz.c'), join(here, '..', 'control.c')]
  return run(compiler, [...common, ...flags, ...sources, '-o', program])
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`fuzz: ${text}\n`)
}
