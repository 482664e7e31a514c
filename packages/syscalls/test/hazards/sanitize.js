// Runs the tests of this package on an addon with AddressSanitizer and UndefinedBehaviorSanitizer; `--help` tells how.
//
// It works in a copy of the repository, so that nobody meets that binary by mistake. All processes write their reports
// to a directory; exit code 1: one of them names our binary, or a test failed.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, runQuietly } from '../../../../test/support/run-quietly.js'
import { scratchDirectory } from '../../../../test/support/scratch.js'

const HELP = `Runs the tests of this package on an addon with AddressSanitizer and UndefinedBehaviorSanitizer.

Usage: node packages/syscalls/test/hazards/sanitize.js [FILTER...]

Filters and options are those of vitest; without any it is the whole package. It needs gcc, its libasan and its
libubsan; with SDBRIDGE_REQUIRE_SYSTEM=1 it fails where they are not.
`

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const words = process.argv.slice(2)
if (words.includes('--help')) {
  process.stdout.write(HELP)
  process.exit()
}
const copy = scratchDirectory('sanitize')
const reports = join(copy, 'reports')
const binary = `linux-${process.arch}.node`

process.exitCode = await sanitize()

async function sanitize() {
  const found = await Promise.all(['libasan.so', 'libubsan.so'].map(libraryOf))
  const libraries = found.flatMap((path) => path ?? [])
  if (libraries.length < 2) {
    const required = process.env.SDBRIDGE_REQUIRE_SYSTEM === '1'
    say(`${required ? 'FAILED' : 'skipped'}: gcc and its libasan and libubsan are not here`)
    return required ? 1 : 0
  }
  say('builds the addon with -fsanitize=address,undefined')
  await copyRepository()
  // Undefined behaviour ends the process, and so fails its test: those reports come by stderr.
  const flags =
    '-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined'
  const build = ['packages/syscalls/native/build.js']
  await runQuietly(process.execPath, build, {
    cwd: copy,
    env: { ...process.env, CC: 'gcc', CFLAGS: flags },
  })

  say('runs the tests with it')
  const filters = words.length > 0 ? [...words] : ['packages/syscalls/test']
  // What the file takes from the C library is another matter with the sanitizers in it.
  filters.push('--exclude', '**/binary.test.ts')
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts']
  const { status } = await run(process.execPath, [...vitest, ...filters], {
    cwd: copy,
    stdio: 'inherit',
    env: { ...process.env, ...environment(libraries) },
  })

  const { processes, findings } = readReports()
  for (const finding of findings) process.stdout.write(`\n${finding}\n`)
  say(`${processes} processes left reports, ${findings.length} are about ${binary}`)
  if (status !== 0) say('a test failed')
  if (findings.length === 0 && status === 0) return 0
  say('FAILED')
  return 1
}

/** What git would take, with the modules and what is built. */
async function copyRepository() {
  const listed = await runQuietly('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: root,
  })
  for (const name of listed.split('\0').filter(Boolean)) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(copy, name))
  }
  for (const at of ['.', 'test', ...inPackages()]) {
    const modules = join(root, at, 'node_modules')
    if (existsSync(modules)) symlinkSync(modules, join(copy, at, 'node_modules'))
    const dist = join(root, at, 'dist')
    if (existsSync(dist)) cpSync(dist, join(copy, at, 'dist'), { recursive: true })
  }
  mkdirSync(reports)
  // Some tests become another user, who has reports to write too.
  chmodSync(copy, 0o755)
  chmodSync(reports, 0o777)
}

function inPackages() {
  return readdirSync(join(root, 'packages')).map((name) => join('packages', name))
}

/** @param {string[]} libraries */
function environment(libraries) {
  const common = `log_path=${join(reports, 'report')}:exitcode=0`
  return {
    LD_PRELOAD: libraries.join(':'),
    // Node never frees much of what it has: of leaks, only ours count.
    ASAN_OPTIONS: `${common}:detect_leaks=1:fast_unwind_on_malloc=1`,
    UBSAN_OPTIONS: 'print_stacktrace=1',
    LSAN_OPTIONS: `max_leaks=0`,
  }
}

/** Errors count if a frame of our binary is in their stacks, leaks if we called the allocator. */
function readReports() {
  const files = readdirSync(reports)
  const findings = files.flatMap((name) => {
    const [errors = '', leaks = ''] = readFileSync(join(reports, name), 'utf8').split(
      /^=+\d+=+ERROR: LeakSanitizer.*$/m,
    )
    const ours = new RegExp(`${binary}|/syscalls/native/`)
    return [
      ...[errors].filter((text) => ours.test(text)),
      ...leaks.split('\n\n').filter((leak) => ours.test(/^ +#1 .*$/m.exec(leak)?.[0] ?? '')),
    ]
  })
  return { processes: files.length, findings }
}

/** @param {string} name @returns {Promise<string | undefined>} */
async function libraryOf(name) {
  const { stdout, status } = await run('gcc', [`-print-file-name=${name}`])
  // Where it has none, it says the name again.
  return status === 0 && dirname(stdout.trim()) !== '.' ? stdout.trim() : undefined
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`sanitize: ${text}\n`)
}
