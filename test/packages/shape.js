// @ts-check
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runQuietly } from '../support/run-quietly.js'

const packages = fileURLToPath(new URL('../../packages', import.meta.url))

/** What a package needs at run time, beside the others of this repository. */
const DEPENDENCIES = new Set(['debug', 'prom-client', 'smol-toml'])
/** What a user may install beside a package, and nobody gets by itself. @type {Record<string, Record<string, string>>} */
const OPTIONAL_PEERS = { notify: { 'unix-dgram': '^2.0.7' } }
/** Of what the command is made, beside its modules: what subcommands share, and each of them. @type {Record<string, string[]>} */
const BUNDLED = {
  'oci-shim': [
    'LICENSES.txt',
    ...[
      'sdbridge.js',
      'shared.js',
      'run-command.js',
      'run.js',
      'run-by-daemon.js',
      'cleanup-command.js',
      'cleanup.js',
    ],
    ...['doctor-command.js', 'print-examinations.js', 'unit-command.js', 'version-command.js'],
    ...['runtime-command.js', 'become-runtime.js', 'runtime-install.js', 'install-runtime.js'],
    ...['runtime-uninstall.js', 'uninstall-runtime.js', 'cdi-command.js', 'write-cdi.js'],
    ...['prepare-command.js', 'prepare-bundle.js', 'daemon-command.js', 'daemon.js'],
    ...['install-daemon.js', 'ps-command.js', 'print-containers.js', 'events-command.js'],
    ...['print-events.js', 'rolldown-runtime.js'],
    ...['hook-command.js', 'install-hook.js', 'run-precreate.js', 'help-command.js'],
    ...['run-lifecycle-hook.js', 'hook.cjs', 'tell-caller.js', 'common.js', 'control.js'],
  ],
}
const LICENSE = /^MIT License\n\nCopyright/

/**
 * A tarball holds what it should, and not a file more: each source, what the compiler made of it, and the few others.
 *
 * @param {import('./pack-packages.js').Packed} packed
 */
export async function checkShape({ name, version, file }) {
  const folder = name.replace('@sdbridge/', '')
  const listing = await runQuietly('tar', ['-tzf', file])
  const found = listing.trim().split('\n')
  assert.deepEqual(found.toSorted(), expectedFiles(folder).toSorted())

  const manifest = JSON.parse(await runQuietly('tar', ['-xzOf', file, 'package/package.json']))
  assert.equal(manifest.version, version)
  assert.equal(manifest.license, 'MIT')
  assert.ok(manifest.keywords.length > 0, 'keywords')
  // No script of ours runs at anybody's installation, and npm must not think of node-gyp.
  const scripts = Object.keys(manifest.scripts ?? {})
  const runByItself = scripts.filter((script) => /install|prepare|prepublish/.test(script))
  assert.deepEqual(runByItself, [])
  assert.equal(manifest.gypfile, undefined)
  for (const [dependency, range] of Object.entries(manifest.dependencies ?? {})) {
    const isOurs = dependency.startsWith('@sdbridge/')
    assert.ok(isOurs || DEPENDENCIES.has(dependency), dependency)
    assert.match(String(range), /^\d+\.\d+\.\d+$/, `${dependency} is pinned`)
  }
  for (const field of ['optionalDependencies', 'bundleDependencies']) {
    assert.equal(manifest[field], undefined, field)
  }
  const peers = manifest.peerDependencies ?? {}
  assert.deepEqual(peers, OPTIONAL_PEERS[folder] ?? {})
  for (const peer of Object.keys(peers)) {
    assert.deepEqual(manifest.peerDependenciesMeta?.[peer], { optional: true }, peer)
  }
  assert.match(await runQuietly('tar', ['-xzOf', file, 'package/LICENSE']), LICENSE)
}

/** @param {string} folder */
function expectedFiles(folder) {
  const sources = readdirSync(join(packages, folder, 'src'), { recursive: true })
  const files = ['LICENSE', 'README.md', 'package.json']
  for (const source of sources.map(String).filter((each) => each.endsWith('.ts'))) {
    files.push(`src/${source}`)
    const compiled = source.replace(/\.ts$/, '')
    for (const end of ['.js', '.js.map', '.d.ts', '.d.ts.map']) files.push(`dist/${compiled}${end}`)
  }
  if (existsSync(join(packages, folder, 'bin'))) {
    files.push(...readdirSync(join(packages, folder, 'bin')).map((each) => `bin/${each}`))
  }
  files.push(...(BUNDLED[folder] ?? []).map((each) => `dist/command/${each}`))
  if (folder === 'syscalls') files.push('prebuilds/linux-arm64.node', 'prebuilds/linux-x64.node')
  return files.map((each) => `package/${each}`)
}
