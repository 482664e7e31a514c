#!/usr/bin/env node
// @ts-check
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PNPM } from './clean-checkout.js'
import { packPackages } from './pack-packages.js'
import { fetchPinned } from '../matrix/runtimes/fetch-pinned.js'
import { NODE_HERE } from '../matrix/runtimes/pinned.js'
import { Outcomes, say } from '../support/outcomes.js'
import { readOptions } from '../support/options.js'
import { runQuietly } from '../support/run-quietly.js'
import { scratchDirectory } from '../support/scratch.js'
import { registryOf } from './registry.js'
import { checkShape } from './shape.js'

const HELP = `Packs what a release would publish, and uses it as a user does: installed, with scripts blocked.

Usage: node test/packages/run.js [options]

  --tarballs FOLDER  these tarballs, of \`pnpm release:pack\`, instead of new ones
  --json FILE        writes { passed, failed, skipped } to FILE
  --help

npm 12 and pnpm 12 install from a registry on this machine; the exercise and a CommonJS program run, and a
TypeScript program is compiled, against what they installed. About a minute and a half.
`

const NPM = 'npm@12.2.0'
/** What is installed beside our own packages: what these need, and what that needs. */
const OTHERS = [
  '@opentelemetry/api',
  'bintrees',
  'debug',
  'ms',
  'prom-client',
  'smol-toml',
  'tdigest',
]
const repository = fileURLToPath(new URL('../..', import.meta.url))
const consumer = fileURLToPath(new URL('consumer', import.meta.url))
const values = readOptions(HELP, { tarballs: { type: 'string' }, json: { type: 'string' } })

/** @typedef {import('./pack-packages.js').Packed} Packed */

process.exitCode = await main(scratchDirectory('packages'))

/** @param {string} scratch */
async function main(scratch) {
  const outcomes = new Outcomes()
  /** @type {Packed[]} */
  let packed = []
  await outcomes.run('tarballs', async () => {
    packed =
      values.tarballs === undefined
        ? await packPackages(join(scratch, 'tarballs'), say)
        : tarballsIn(resolve(values.tarballs))
  })
  for (const each of packed) {
    await outcomes.run(`${each.name}: files and manifest`, () => checkShape(each))
    await outcomes.run(`${each.name}: publint`, () => tool('publint', '--strict', each.file))
    const attw = ['--profile', 'esm-only', '--format', 'ascii', each.file]
    await outcomes.run(`${each.name}: attw`, () => tool('attw', ...attw))
  }
  if (packed.length > 0) await asUsers(packed, scratch, outcomes)
  return outcomes.conclude(values.json)
}

/**
 * @param {readonly Packed[]} packed
 * @param {string} scratch
 * @param {Outcomes} outcomes
 */
async function asUsers(packed, scratch, outcomes) {
  const registry = await registryOf(packed)
  // npm 12 does not run on Node 20.
  const [, newer] = NODE_HERE
  if (newer === undefined) throw new Error('no Node for npm')
  /** @type {Record<string, (folder: string) => Promise<string>>} */
  const managers = {
    'npm 12': async (folder) => {
      const PATH = `${dirname(await fetchPinned(newer, say))}${delimiter}${process.env['PATH']}`
      const command = [
        '-y',
        NPM,
        'install',
        '--no-audit',
        '--no-fund',
        ...packed.map(({ name }) => name),
      ]
      return withWarnings('npx', command, { cwd: folder, env: { ...process.env, PATH } })
    },
    'pnpm 12': (folder) =>
      withWarnings('npx', [...PNPM, 'add', ...packed.map(({ name }) => name)], {
        cwd: folder,
        // What it learns from our registry is of no use to anybody.
        env: { ...process.env, PNPM_CONFIG_CACHE_DIR: join(folder, 'cache') },
      }),
  }
  for (const [manager, install] of Object.entries(managers)) {
    const folder = join(scratch, manager.replace(' ', '-'))
    await outcomes.run(`${manager}: install`, async () => {
      mkdirSync(folder)
      writeFileSync(join(folder, '.npmrc'), `@sdbridge:registry=${registry.url}\n`)
      // A workspace of its own: what is above must not matter.
      writeFileSync(join(folder, 'pnpm-workspace.yaml'), 'packages: []\n')
      writeFileSync(join(folder, 'package.json'), '{ "private": true, "version": "1.0.0" }\n')
      cpSync(consumer, folder, { recursive: true })
      cpSync(join(repository, 'test/matrix/exercise'), join(folder, 'exercise'), {
        recursive: true,
      })
      const output = await install(folder)
      // Words of both package managers about scripts that they did not run.
      assert.doesNotMatch(output, /script/i)
      const installed = await installedIn(folder)
      assert.deepEqual(installed, [...packed.map(({ name }) => name), ...OTHERS].toSorted())
    })
    await outcomes.run(`${manager}: the exercise, by import`, async () => {
      const report = join(folder, 'exercise.json')
      say(
        await runQuietly(process.execPath, ['exercise/exercise.mjs', '--json', report], {
          cwd: folder,
        }),
      )
      const { passed, failed, notHere } = JSON.parse(readFileSync(report, 'utf8'))
      return { passed, failed, skipped: 0, notHere }
    })
    await outcomes.run(`${manager}: sdrun`, async () => {
      const output = await runQuietly(join(folder, 'node_modules/.bin/sdrun'), ['--help'])
      assert.match(output, /--listen-stream/)
    })
    await outcomes.run(`${manager}: sdbridge`, async () => {
      const sdbridge = join(folder, 'node_modules/.bin/sdbridge')
      assert.match(await runQuietly(sdbridge, ['--help']), /^Usage: sdbridge SUBCOMMAND/)
      // All of it is loaded, and nothing is started.
      const printed = await runQuietly(sdbridge, ['run', '--print', '--', 'true'], {
        env: { ...process.env, RUNTIME_DIRECTORY: folder },
      })
      assert.match(printed, /^env NOTIFY_SOCKET=\/\S+\/notify\.sock true\n$/)
    })
    for (const pinned of NODE_HERE) {
      await outcomes.run(`${manager}: require() on Node ${pinned.version}`, async () => {
        const node = await fetchPinned(pinned, say)
        // No warning of an experiment.
        const output = await withWarnings(node, ['require.cjs'], { cwd: folder })
        assert.equal(output, 'received\n')
      })
    }
    for (const [module, moduleResolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ]) {
      await outcomes.run(`${manager}: types, ${moduleResolution}`, async () => {
        const options = ['--module', `${module}`, '--moduleResolution', `${moduleResolution}`]
        const types = ['--types', 'node', '--typeRoots', join(repository, 'node_modules/@types')]
        const strict = [
          '--ignoreConfig',
          '--strict',
          '--exactOptionalPropertyTypes',
          '--target',
          'es2023',
          '--noEmit',
        ]
        // Declarations of others are checked too: ours are among them.
        await tool(
          'tsc',
          ...strict,
          '--skipLibCheck',
          'false',
          ...options,
          ...types,
          join(folder, 'types.mts'),
        )
      })
    }
  }
  registry.close()
}

/**
 * Like runQuietly, with standard error in what it returns.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptionsWithoutStdio} options
 */
async function withWarnings(command, args, options) {
  return runQuietly('sh', ['-c', '"$@" 2>&1', 'sh', command, ...args], options)
}

/**
 * A tool of this repository.
 *
 * @param {string} name
 * @param {...string} args
 */
async function tool(name, ...args) {
  await runQuietly(join(repository, 'node_modules/.bin', name), args, { cwd: repository })
}

/**
 * The names of all that was installed, however deep.
 *
 * @param {string} folder
 */
async function installedIn(folder) {
  const found = await runQuietly('find', ['node_modules', '-name', 'package.json'], { cwd: folder })
  const names = found
    .split('\n')
    .flatMap(
      (path) => /.*node_modules\/((?:@[^/]+\/)?[^/.][^/]*)\/package\.json$/.exec(path)?.[1] ?? [],
    )
  return [...new Set(names)].toSorted()
}

/** @param {string} folder @returns {Packed[]} */
function tarballsIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => {
      const match = /^sdbridge-(.+)-(\d+\.\d+\.\d+.*)\.tgz$/.exec(name)
      const file = join(folder, name)
      const sha512 = createHash('sha512').update(readFileSync(file)).digest('base64')
      return {
        name: `@sdbridge/${match?.[1]}`,
        version: `${match?.[2]}`,
        file,
        integrity: `sha512-${sha512}`,
      }
    })
}
