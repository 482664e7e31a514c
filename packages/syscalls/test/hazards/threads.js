// Builds threads.c with ThreadSanitizer and runs it: node packages/syscalls/test/hazards/threads.js
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const native = join(here, '..', '..', 'native')
const directory = mkdtempSync(join(tmpdir(), 'sdbridge-threads-'))

try {
  process.exitCode = run()
} finally {
  rmSync(directory, { recursive: true })
}

function run() {
  const compiler = ['clang', 'gcc'].find((each) => spawnSync(each, ['--version']).status === 0)
  if (compiler === undefined) {
    const required = process.env.SDBRIDGE_REQUIRE_SYSTEM === '1'
    say(`${required ? 'FAILED' : 'skipped'}: there is no C compiler`)
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
  const built = spawnSync(compiler, [...flags, ...files, '-o', program, '-lpthread'], {
    encoding: 'utf8',
  })
  const ran =
    built.status === 0 ? spawnSync(program, { encoding: 'utf8', timeout: 120_000 }) : built
  if (ran.status === 0 && /^threads: done/m.test(ran.stderr)) {
    say('no data race, and no descriptor is left')
    return 0
  }
  process.stderr.write(ran.stderr)
  say('FAILED')
  return 1
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`threads: ${text}\n`)
}
