// Compiles the addon: one call of the C compiler, nothing else. `--help` tells how.
import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const HELP = `Compiles the addon, if it is not there already as it would be made.

Usage: node native/build.js [--arch x64|arm64]

  --arch ARCH  what it is for; default: this machine
  --help

CC is the compiler (cc), CFLAGS are words for it after our own. Debug: CC=clang CFLAGS='-O0 -g' node native/build.js
`
const MACHINES = { x64: 'x86_64', arm64: 'aarch64' }
const CROSS_COMPILERS = {
  x64: { command: 'x86_64-linux-gnu-gcc', debian: 'gcc-x86-64-linux-gnu' },
  arm64: { command: 'aarch64-linux-gnu-gcc', debian: 'gcc-aarch64-linux-gnu' },
}

const here = dirname(fileURLToPath(import.meta.url))
const { arch } = readOptions()
const require = createRequire(import.meta.url)
const headers = require('node-api-headers').include_dir

const sources = readdirSync(here).filter((name) => /\.[ch]$/.test(name))
const output = join(here, '..', 'prebuilds', `linux-${arch}.node`)
// Not beside the output: all that is there is published.
const record = join(here, `.built-with-${arch}.json`)

if (process.platform !== 'linux') {
  process.stderr.write('@sdbridge/syscalls: not built, its system calls exist on Linux only\n')
  process.exit(0)
}
const compiler = process.env.CC || 'cc'
const flags = process.env.CFLAGS?.split(/\s+/).filter(Boolean) ?? []
// Flags too: clang makes code for what its --target says.
const machine = askCompiler(...flags, '-dumpmachine')
if (!machine.startsWith(`${MACHINES[arch]}-`)) {
  const { command, debian } = CROSS_COMPILERS[arch]
  fail(
    `the C compiler '${compiler}' makes code for ${machine}, not for ${arch}. ` +
      `Name one that does: CC=${command} (Debian: apt-get install ${debian}).`,
  )
}
// What was built with another compiler or other flags cannot be told by its age.
const version = askCompiler('--version').split('\n')[0]
const recipe = JSON.stringify({ compiler, flags, machine, version })
if (isFresh()) process.exit(0)

mkdirSync(dirname(output), { recursive: true })
// Written beside and renamed: a process that has the old file mapped keeps it whole.
const temporary = `${output}.${process.pid}`
const result = spawnSync(compiler, compilerArguments(), { cwd: here, stdio: 'inherit' })
if (result.error !== undefined || result.status !== 0) {
  failedToRun(result.error?.message ?? `exit code ${result.status}`)
}
// Whoever is ended between these leaves nothing that is wrong.
rmSync(record, { force: true })
renameSync(temporary, output)
writeFileSync(record, `${recipe}\n`)

function compilerArguments() {
  return [
    ...['-std=c11', '-O2', '-fPIC', '-shared', '-fvisibility=hidden', '-fno-math-errno'],
    ...['-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wstrict-prototypes'],
    // Fortified functions exist under glibc only.
    ...['-U_FORTIFY_SOURCE', '-fstack-protector-strong'],
    ...(arch === 'arm64' ? ['-mno-outline-atomics'] : []),
    // No library is named in the file: it finds its few functions in the C library that Node has
    // loaded already, glibc or musl. It stays mapped because the closer's threads outlive a Worker.
    ...['-nostdlib', '-Wl,-z,nodelete', '-Wl,-z,relro,-z,now', '-Wl,--build-id=none'],
    // Who asks for debugging information wants to keep it.
    ...(flags.includes('-g') ? [] : ['-s']),
    ...flags,
    ...['-isystem', headers],
    ...sources.filter((name) => name.endsWith('.c')),
    ...['-o', temporary],
  ]
}

function isFresh() {
  try {
    if (readFileSync(record, 'utf8').trimEnd() !== recipe) return false
    const built = statSync(output).mtimeMs
    return [...sources, 'build.js'].every((name) => statSync(join(here, name)).mtimeMs < built)
  } catch {
    return false
  }
}

/** @param {...string} words */
function askCompiler(...words) {
  const { error, status, stdout } = spawnSync(compiler, words, { encoding: 'utf8' })
  if (error !== undefined || status !== 0) failedToRun(error?.message ?? `exit code ${status}`)
  return stdout.trim()
}

/** @param {string} reason @returns {never} */
function failedToRun(reason) {
  return fail(
    `the C compiler '${compiler}' failed (${reason}). ` +
      'Install one (Debian: apt-get install gcc libc6-dev) or name it in CC.',
  )
}

/** @param {string} message @returns {never} */
function fail(message) {
  process.stderr.write(`@sdbridge/syscalls: ${message}\n`)
  process.exit(1)
}

/** @returns {{ arch: keyof typeof MACHINES }} */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: { arch: { type: 'string', default: process.arch }, help: { type: 'boolean' } },
    })
    if (values.help) {
      process.stdout.write(HELP)
      process.exit()
    }
    if (isKnown(values.arch)) return { arch: values.arch }
    throw new Error(`--arch ${values.arch}: it must be one of ${Object.keys(MACHINES).join(', ')}.`)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nTry --help\n`)
    return process.exit(2)
  }
}

/** @param {string} name @returns {name is keyof typeof MACHINES} */
function isKnown(name) {
  return Object.hasOwn(MACHINES, name)
}
