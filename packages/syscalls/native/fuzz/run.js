// Runs the fuzzer of the control data: node native/fuzz/run.js [--seconds 30]. With clang it is libFuzzer, which
// looks for inputs that reach new code; with another compiler a loop of random messages. Exit code 1: a finding.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' } } })
const directory = mkdtempSync(join(tmpdir(), 'sdbridge-fuzz-'))
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

try {
  process.exitCode = run()
} finally {
  rmSync(directory, { recursive: true })
}

function run() {
  const kind = kinds.find(({ compiler, flags }) => compile(compiler, flags).status === 0)
  if (kind === undefined) {
    const { error, stderr } = compile('cc', ['-DSTANDALONE'])
    if (error === undefined) process.stderr.write(stderr)
    const failed = error === undefined || process.env.SDBRIDGE_REQUIRE_SYSTEM === '1'
    say(`${failed ? 'FAILED' : 'skipped'}: ${error?.message ?? 'it does not compile'}`)
    return failed ? 1 : 0
  }
  say(`${values.seconds} seconds, by ${kind.compiler}: ${kind.name}`)
  const { status, signal, stderr } = spawnSync(program, argumentsOf(kind), {
    cwd: directory,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
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

/** @param {{ name: string }} kind */
function argumentsOf({ name }) {
  if (name !== 'libFuzzer') return [values.seconds]
  return [`-max_total_time=${values.seconds}`, '-max_len=2048', '-timeout=10']
}

/**
 * A compiler may know a flag and not have its library, so all is tried.
 *
 * @param {string} compiler
 * @param {string[]} flags
 */
function compile(compiler, flags) {
  const sources = [join(here, 'control-fuzz.c'), join(here, '..', 'control.c')]
  const words = [...common, ...flags, ...sources, '-o', program]
  return spawnSync(compiler, words, { encoding: 'utf8' })
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`fuzz: ${text}\n`)
}
