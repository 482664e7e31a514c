// Runs a program that uses every function of the addon under valgrind; `--help` tells how.
//
// Node itself does much that valgrind does not understand. What counts is an error with a frame of our binary in its
// stack, and memory that we allocated and lost. Exit code 1: there is one, or the program failed.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readOptions } from '../../../../test/support/options.js'
import { run } from '../../../../test/support/run-quietly.js'
import { scratchDirectory } from '../../../../test/support/scratch.js'

readOptions(
  `Runs every function of the addon under valgrind's memcheck. Exit code 1: it has found something.

Usage: node packages/syscalls/test/hazards/valgrind.js [--help]

With SDBRIDGE_REQUIRE_SYSTEM=1 it fails where valgrind is not installed.
`,
  {},
)

const binary = `linux-${process.arch}.node`
const program = fileURLToPath(new URL('every-function.mjs', import.meta.url))
const directory = scratchDirectory('valgrind')

process.exitCode = await check()

async function check() {
  if ((await run('valgrind', ['--version'])).status !== 0) {
    const required = process.env.SDBRIDGE_REQUIRE_SYSTEM === '1'
    say(`${required ? 'FAILED' : 'skipped'}: valgrind is not here`)
    return required ? 1 : 0
  }
  say('runs every function of the addon under memcheck; this takes a minute')
  const { status, signal, stderr } = await run(
    'valgrind',
    [
      ...['--tool=memcheck', '--leak-check=full', '--show-leak-kinds=definite,indirect,possible'],
      // Compiled JavaScript writes itself; a deep stack shows our frame below those of Node.
      ...['--smc-check=all-non-file', '--num-callers=40', '--fair-sched=yes', '--error-limit=no'],
      ...['--keep-debuginfo=yes', '--xml=yes', `--xml-file=${join(directory, 'report.xml')}`],
      // Without its compiler, V8 does less that needs explaining.
      ...[process.execPath, '--jitless', '--no-opt', program],
    ],
    {
      stdio: ['ignore', 'inherit', 'pipe'],
      timeout: 480_000,
      killSignal: 'SIGKILL',
    },
  )
  const errors = readdirSync(directory).flatMap((name) => {
    const text = readFileSync(join(directory, name), 'utf8')
    return [...text.matchAll(/<error>[\s\S]*?<\/error>/g)].map(([error]) => error)
  })
  const findings = errors.filter(isOurs)
  for (const finding of findings) process.stdout.write(`\n${finding}\n`)
  say(`${errors.length} errors, ${findings.length} with a frame of ${binary}`)
  if (status !== 0) say(`the program failed (${signal ?? `exit code ${status}`}): ${stderr}`)
  if (findings.length === 0 && status === 0) return 0
  say('FAILED')
  return 1
}

/** @param {string} error */
function isOurs(error) {
  const frames = [...error.matchAll(/<frame>[\s\S]*?<\/frame>/g)].map(([frame]) => frame)
  // It takes an AF_UNIX address for a string with an end. The kernel looks at the length: that of an address without
  // a name is 2.
  if (/<what>Syscall param \S+\.sun_path\)? points to unaddressable/.test(error)) return false
  // The requests NS_GET_PID_* of ioctl_ns(2) take a number, a pid. It takes the third argument of each request that it
  // does not know for a pointer.
  if (/<what>Syscall param ioctl\(generic\) points to unaddressable/.test(error)) return false
  const kind = /<kind>(\w+)/.exec(error)?.[1] ?? ''
  // What Node allocated while it was called from us is its own to lose: the second frame called the allocator.
  const counting = kind.startsWith('Leak_') ? frames.slice(1, 2) : frames
  return counting.some((frame) => frame.includes(binary))
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`valgrind: ${text}\n`)
}
