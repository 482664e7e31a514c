#!/usr/bin/env node
// @ts-check
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Missing, Outcomes, say } from '../support/outcomes.js'
import { readOptions, selectParts } from '../support/options.js'
import { run, runQuietly } from '../support/run-quietly.js'
import { scratchDirectory } from '../support/scratch.js'
import { fetchPinned } from './runtimes/fetch-pinned.js'
import { MUSL_LOADER, muslNode, onMusl } from './runtimes/musl-node.js'
import { BUN, NODE_ARM64, NODE_HERE, PNPM_IN_NODE_FOR_MUSL } from './runtimes/pinned.js'
import { ARM64_ROOT, qemuNode } from './runtimes/qemu-node.js'

const HELP = `Runs what this checkout has built on other runtimes: the same compiled file on all of x64.

Usage: node test/matrix/run.js [options]

  --only TEXT    only the parts with TEXT in their name, such as "arm64", "musl", "Node 24", "suite"
  --json FILE    writes { passed, failed, skipped } to FILE
  --list         prints the names of the parts
  --help

Parts: the fast tests and the exercise (exercise/exercise.mjs) on each Node line; the exercise on arm64 under qemu
and on musl. Runtimes come from the npm registry, pinned by their content in runtimes/pinned.js, and are kept in
~/.cache/sdbridge (SDBRIDGE_CACHE_DIR moves it). About six minutes.
`

const repository = fileURLToPath(new URL('../..', import.meta.url))
const syscalls = join(repository, 'packages/syscalls')
const values = readOptions(HELP, {
  only: { type: 'string', default: '' },
  json: { type: 'string' },
  list: { type: 'boolean', default: false },
})
const scratch = scratchDirectory('matrix')

/** @typedef {import('../support/outcomes.js').Counts} Counts */
/** What all parts without an emulator have run. @type {string | undefined} */
let binary
/** For all parts that need it. @type {Promise<void> | undefined} */
let arm64Build
/** @type {Record<string, () => Promise<Counts & { remark?: string } | void>>} */
const parts = {
  'one binary': async () => {
    binary = fingerprint(process.arch)
    say(binary)
  },
  ...Object.fromEntries(
    NODE_HERE.flatMap((pinned) => {
      const [line] = pinned.version.split('.')
      /** @type {[string, () => Promise<Counts>][]} */
      const both = [
        [`Node ${line}: exercise`, async () => exercise(await fetchPinned(pinned, say))],
        [`Node ${line}: suite`, async () => suite(await fetchPinned(pinned, say), `${line}`)],
      ]
      // `pnpm test` has run them already.
      return process.versions.node.startsWith(`${line}.`) ? both.slice(0, 1) : both
    }),
  ),
  'musl: Node 26: exercise': onMuslNode,
  'musl: Bun: exercise': onMuslBun,
  'Bun: exercise': async () => {
    needX64()
    return exercise(await fetchPinned(BUN.glibc, say))
  },
  'arm64: cross build': buildForArm64,
  ...Object.fromEntries(
    NODE_ARM64.map((pinned) => [
      `arm64: Node ${pinned.version.split('.')[0]}: exercise`,
      () => onArm64(pinned),
    ]),
  ),
  'still the same binary': async () => {
    const now = fingerprint(process.arch)
    if (binary !== undefined && binary !== now) throw new Error(`${now}; it was ${binary}`)
  },
}

if (values.list) say(Object.keys(parts).join('\n'))
else process.exitCode = await main()

async function main() {
  const selected = selectParts(parts, values.only)
  const outcomes = new Outcomes()
  for (const [name, part] of selected) await outcomes.run(name, part)
  return outcomes.conclude(values.json)
}

/**
 * The exercise, on any runtime.
 *
 * @param {string} node
 * @param {readonly string[]} [options]
 * @returns {Promise<Counts>}
 */
async function exercise(node, options = []) {
  const file = fileURLToPath(new URL('exercise/exercise.mjs', import.meta.url))
  const report = join(scratch, 'exercise.json')
  rmSync(report, { force: true })
  // What it leaves when it is ended goes with us.
  const TMPDIR = join(scratch, 'tmp')
  mkdirSync(TMPDIR, { recursive: true })
  const env = { ...process.env, SDBRIDGE_EXERCISE_NODE: node, TMPDIR }
  const code = await show(node, [file, '--json', report, ...options], env)
  const { passed, failed, notHere } = JSON.parse(readFileSync(report, 'utf8'))
  return { passed, failed: failed || (code === 0 ? 0 : 1), skipped: 0, notHere }
}

/**
 * The fast tests under another Node. What they start is `process.execPath`, or the `node` of $PATH.
 *
 * @param {string} node
 * @param {string} line
 * @returns {Promise<Counts & { remark: string }>}
 */
async function suite(node, line) {
  const report = join(scratch, `suite-${line}.json`)
  const vitest = join(repository, 'node_modules/vitest/vitest.mjs')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const args = [vitest, 'run', '--config', join(repository, 'test/vitest.config.ts')]
  // Or the list of what passed is full of colours.
  const NO_COLOR = '1'
  const PATH = `${dirname(node)}${delimiter}${process.env['PATH']}`
  const code = await show(node, [...args, ...reporters], { ...process.env, NO_COLOR, PATH })
  const found = JSON.parse(readFileSync(report, 'utf8'))
  const failures = found.testResults.flatMap((/** @type {any} */ file) =>
    file.assertionResults
      .filter((/** @type {any} */ { status }) => status === 'failed')
      .map((/** @type {any} */ { fullName }) => fullName),
  )
  return {
    passed: found.numPassedTests,
    failed: found.numFailedTests || (code === 0 ? 0 : 1),
    skipped: found.numPendingTests + found.numTodoTests,
    remark: failures.join('; '),
  }
}

async function onMuslNode() {
  const folder = await muslFolder('node')
  const node = await muslNode(await fetchPinned(PNPM_IN_NODE_FOR_MUSL, say), folder)
  return exercise(node, ['--environment', 'musl'])
}

async function onMuslBun() {
  const folder = await muslFolder('bun')
  const bun = await onMusl(await fetchPinned(BUN.musl, say), folder)
  return exercise(bun, ['--environment', 'musl'])
}

/** @param {string} name */
async function muslFolder(name) {
  await need('musl-tools', 'musl-gcc', '-dumpversion')
  if (!existsSync(MUSL_LOADER)) throw new Missing(`no ${MUSL_LOADER}: apt-get install musl`)
  needX64()
  const folder = join(scratch, `musl-${name}`)
  mkdirSync(folder)
  return folder
}

async function buildForArm64() {
  await (arm64Build ??= crossBuild())
}

async function crossBuild() {
  const compiler = await crossCompiler()
  const env = { ...process.env, CC: compiler }
  await runQuietly(process.execPath, [join(syscalls, 'native/build.js'), '--arch', 'arm64'], {
    env,
  })
  say(fingerprint('arm64'))
}

/** @param {import('./runtimes/pinned.js').Pinned} pinned */
async function onArm64(pinned) {
  await need('qemu-user-static', 'qemu-aarch64-static', '--version')
  await buildForArm64()
  if (!existsSync(ARM64_ROOT))
    throw new Missing(`no ${ARM64_ROOT}: apt-get install libc6-dev-arm64-cross`)
  const node = await qemuNode(await fetchPinned(pinned, say), scratch)
  return exercise(node, ['--environment', 'qemu-user', '--timeout', '90'])
}

function needX64() {
  if (process.arch !== 'x64') throw new Missing('what is pinned for this is for x64')
}

async function crossCompiler() {
  const compiler = 'aarch64-linux-gnu-gcc'
  await need('gcc-aarch64-linux-gnu', compiler, '--version')
  return compiler
}

/**
 * @param {string} debianPackage
 * @param {string} command
 * @param {...string} args
 */
async function need(debianPackage, command, ...args) {
  try {
    await runQuietly(command, args)
  } catch {
    throw new Missing(`${command} does not work here: apt-get install ${debianPackage}`)
  }
}

/** @param {string} arch */
function fingerprint(arch) {
  const file = join(syscalls, `prebuilds/linux-${arch}.node`)
  const bytes = readFileSync(file)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return `linux-${arch}.node: ${bytes.length} bytes, sha256 ${sha256.slice(0, 16)}`
}

/**
 * Runs a program whose output everybody sees.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
async function show(command, args, env) {
  const stdio = /** @type {const} */ (['ignore', 'inherit', 'inherit'])
  const { status, error } = await run(command, args, { cwd: repository, env, stdio: [...stdio] })
  if (error !== undefined) throw error
  return status ?? 1
}
