// Compiles the addon for this machine: one call of the C compiler, nothing else. CC and CFLAGS are
// honoured. Other architectures: CC=aarch64-linux-gnu-gcc node native/build.js --arch arm64
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const { values } = parseArgs({ options: { arch: { type: 'string', default: process.arch } } })
const require = createRequire(import.meta.url)
const headers = require('node-api-headers').include_dir

const sources = readdirSync(here).filter((name) => /\.[ch]$/.test(name))
const output = join(here, '..', 'prebuilds', `linux-${values.arch}.node`)

if (process.platform !== 'linux') {
  process.stderr.write('@sdbridge/syscalls: not built, its system calls exist on Linux only\n')
  process.exit(0)
}
// What was built with other flags cannot be told by its age.
const asUsual = process.env.CC === undefined && process.env.CFLAGS === undefined
if (asUsual && isFresh()) process.exit(0)

mkdirSync(dirname(output), { recursive: true })
// Written beside and renamed: a process that has the old file mapped keeps it whole.
const temporary = `${output}.${process.pid}`
const compiler = process.env.CC ?? 'cc'
const flags = process.env.CFLAGS?.split(' ').filter(Boolean) ?? []
const result = spawnSync(compiler, compilerArguments(), { cwd: here, stdio: 'inherit' })
if (result.error !== undefined || result.status !== 0) {
  const reason = result.error?.message ?? `exit code ${result.status}`
  process.stderr.write(
    `@sdbridge/syscalls: the C compiler '${compiler}' failed (${reason}). ` +
      'Install one (Debian: apt-get install gcc libc6-dev) or name it in CC.\n',
  )
  process.exit(1)
}
renameSync(temporary, output)

function compilerArguments() {
  return [
    ...['-std=c11', '-O2', '-fPIC', '-shared', '-fvisibility=hidden', '-fno-math-errno'],
    ...['-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wstrict-prototypes'],
    // Fortified functions exist under glibc only.
    ...['-U_FORTIFY_SOURCE', '-fstack-protector-strong'],
    ...(values.arch === 'arm64' ? ['-mno-outline-atomics'] : []),
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
    const built = statSync(output).mtimeMs
    return [...sources, 'build.js'].every((name) => statSync(join(here, name)).mtimeMs < built)
  } catch {
    return false
  }
}
