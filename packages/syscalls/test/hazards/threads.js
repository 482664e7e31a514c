// Builds threads.c with ThreadSanitizer and runs it; `--help` tells how.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readOptions } from '../../../../test/support/options.js'
import { run } from '../../../../test/support/run-quietly.js'
import { scratchDirectory } from '../../../../test/support/scratch.js'

readOptions(
  `Drives the poller and the closer from 4 threads under ThreadSanitizer. Exit code 1: a data race, or a descriptor left.

Usage: node packages/syscalls/test/hazards/threads.js [--help]

It needs clang or gcc. With SDBRIDGE_REQUIRE_SYSTEM=1 it fails where neither works.
`,
  {},
)

const here = fileURLToPath(new URL('.', import.meta.url))
const native = join(here, '..', '..', 'native')
const directory = scratchDirectory('threads')

process.exitCode = await drive()

async function drive() {
  const compiler = await findCompiler()
  if (compiler === undefined) {
    const required = process.env.SDBRIDGE_REQUIRE_SYSTEM === '1'
    say(`${required ? 'FAILED' : 'skipped'}: no C compiler that has ThreadSanitizer`)
    return required ? 1 : 0
  }
  say(
    `builds with ${compiler} -fsanitize=thread, and drives the poller and the closer from 4 threads`,
  )
  const program = join(directory, 'threads')
  // All but what needs Node.
  const sources = readdirSync(native).filter((name) => /^(?!glue|owned).*\.c$/.test(name))
  const flags = ['-std=c11', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-fsanitize=thread']
  const files = [join(here, 'threads.c'), ...sources.map((name) => join(native, name))]
  const built = await run(compiler, [...flags, ...files, '-o', program, '-lpthread'])
  const ran = built.status === 0 ? await run(program, [], { timeout: 120_000 }) : built
  if (ran.status === 0 && /^threads: done/m.test(ran.stderr)) {
    say('no data race, and no descriptor is left')
    return 0
  }
  process.stderr.write(ran.stderr)
  say('FAILED')
  return 1
}

/** A compiler may know the flag and not have its library: so it is tried, with a program that does nothing. */
async function findCompiler() {
  const words = ['-fsanitize=thread', '-x', 'c', '-', '-o', join(directory, 'nothing')]
  for (const compiler of ['clang', 'gcc']) {
    const tried = run('sh', [
      '-c',
      'echo "int main(void) { return 0; }" | "$@"',
      'sh',
      compiler,
      ...words,
    ])
    if ((await tried).status === 0) return compiler
  }
  return undefined
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`threads: ${text}\n`)
}
