// @ts-check
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runQuietly } from '../support/run-quietly.js'
import { audit } from './audit.js'
import { installedWith, parseLockfile } from './lockfile.js'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** What comes to a user's machine beside our own packages: the name, the version, and the licence. */
const SHIPPED = new Map([
  ['debug@4.4.3', 'MIT'],
  ['ms@2.1.3', 'MIT'],
  ['smol-toml@1.9.1', 'BSD-3-Clause'],
  ['prom-client@15.1.3', 'Apache-2.0'],
  ['@opentelemetry/api@1.10.0', 'Apache-2.0'],
  ['tdigest@0.1.3', 'MIT'],
  ['bintrees@1.0.2', 'MIT'],
])
const EXACT = /^(\d+\.\d+\.\d+|workspace:\*)$/
// A git commit, and behind it the version that a person reads.
const PINNED_ACTION = /^\s*-?\s*uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/

/** @type {Record<string, () => void | Promise<import('../support/outcomes.js').Counts & { remark: string } | void>>} */
export const checks = {
  'every dependency comes from the registry, with its hash'() {
    const { resolutions, dependencies, specifiers } = lockfile()
    assert.ok(resolutions.size > 50, `${resolutions.size} packages in the lockfile`)
    for (const [id, resolution] of resolutions) {
      assert.match(resolution, /^\{integrity: sha512-[A-Za-z0-9+/]{86}==\}$/, id)
    }
    for (const [id, needed] of dependencies) {
      for (const each of [id, ...needed]) assert.ok(resolutions.has(each), `no hash of ${each}`)
    }
    for (const specifier of specifiers) {
      assert.match(specifier, /@(\d+\.\d+\.\d+|workspace:\*)$/, specifier)
    }
  },

  async 'every package.json names exact versions'() {
    const files = (await trackedFiles()).filter((file) => /(^|\/)package\.json$/.test(file))
    assert.ok(files.length >= 6, files.join())
    for (const file of files) {
      const manifest = JSON.parse(readFileSync(join(repository, file), 'utf8'))
      for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides']) {
        for (const [name, range] of Object.entries(manifest[kind] ?? {})) {
          assert.match(String(range), EXACT, `${file}: ${name}`)
        }
      }
    }
  },

  'no dependency runs a script at installation'() {
    const workspace = readFileSync(join(repository, 'pnpm-workspace.yaml'), 'utf8')
    assert.match(workspace, /^allowBuilds: \{\}$/m)
    assert.match(workspace, /^strictDepBuilds: true$/m)
    const installed = installedManifests()
    assert.ok(installed.length > 20, `${installed.length} packages are installed`)
    for (const { folder, manifest } of installed) {
      const scripts = Object.keys(manifest.scripts ?? {})
      const atInstallation = scripts.filter((name) => /^(pre|post)?install$/.test(name))
      assert.deepEqual(atInstallation, [], folder)
      assert.ok(!existsSync(join(folder, 'binding.gyp')), `${folder} has a binding.gyp`)
    }
  },

  'users get what is on the list, and nothing else'() {
    for (const folder of readdirSync(join(repository, 'packages'))) {
      const found = installedWith(lockfile(), `packages/${folder}`)
      const unknown = found.filter((id) => !SHIPPED.has(id))
      assert.deepEqual(unknown, [], `packages/${folder}`)
    }
    const used = readdirSync(join(repository, 'packages')).flatMap((folder) =>
      installedWith(lockfile(), `packages/${folder}`),
    )
    assert.deepEqual([...new Set(used)].toSorted(), [...SHIPPED.keys()].toSorted())
  },

  'what users get has the licence that is on the list'() {
    const installed = installedManifests()
    for (const [id, licence] of SHIPPED) {
      const found = installed.find(({ manifest }) => `${manifest.name}@${manifest.version}` === id)
      assert.ok(found, `${id} is not installed`)
      assert.equal(found.manifest.license, licence, id)
      const files = readdirSync(found.folder)
      assert.ok(
        files.some((file) => /^licen[cs]e/i.test(file)),
        `${id} has no licence file`,
      )
    }
  },

  async 'nothing that was built is in git, and no binary file'() {
    const files = await trackedFiles()
    const built = files.filter((file) =>
      /(^|\/)(dist|prebuilds|node_modules)\/|\.(node|tgz|tsbuildinfo)$/.test(file),
    )
    assert.deepEqual(built, [])
    const binary = files.filter((file) => readFileSync(join(repository, file)).includes(0))
    assert.deepEqual(binary, [])
  },

  async 'actions of GitHub are pinned to commits'() {
    const files = (await trackedFiles()).filter((file) => file.startsWith('.github/workflows/'))
    const lines = files.flatMap((file) => readFileSync(join(repository, file), 'utf8').split('\n'))
    const uses = lines.filter((line) => /^\s*-?\s*uses:/.test(line))
    assert.ok(uses.length > 0)
    assert.deepEqual(
      uses.filter((line) => !PINNED_ACTION.test(line)),
      [],
    )
  },

  'no advisory is known for a dependency': audit,
}

function lockfile() {
  return parseLockfile(readFileSync(join(repository, 'pnpm-lock.yaml'), 'utf8'))
}

async function trackedFiles() {
  const options = ['--cached', '--others', '--exclude-standard', '--deduplicate', '-z']
  const output = await runQuietly('git', ['ls-files', ...options], { cwd: repository })
  return output.split('\0').filter((file) => file !== '' && existsSync(join(repository, file)))
}

/** Of everything that pnpm has put into node_modules/.pnpm. */
function installedManifests() {
  const store = join(repository, 'node_modules/.pnpm')
  const files = readdirSync(store).flatMap((entry) => {
    const modules = join(store, entry, 'node_modules')
    if (!existsSync(modules)) return []
    return readdirSync(modules, { withFileTypes: true })
      .flatMap((each) =>
        each.isDirectory() && each.name.startsWith('@')
          ? readdirSync(join(modules, each.name), { withFileTypes: true })
          : [each],
      )
      .filter((each) => each.isDirectory() && !each.name.startsWith('.'))
      .map((each) => join(each.parentPath, each.name))
  })
  return files.map((folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
  }))
}
