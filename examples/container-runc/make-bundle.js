#!/usr/bin/env node
// @ts-check
// Makes a bundle of this service out of what is on this machine: node, the libraries that it needs and the packages
// are not copied, but mounted, read-only. Nothing else of the machine is visible in the container.
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const [bundle] = process.argv.slice(2)
if (bundle === undefined) {
  process.stderr.write('Usage: node make-bundle.js FOLDER\n')
  process.exit(2)
}

const server = fileURLToPath(new URL('server.mjs', import.meta.url))
const programs = ['/usr', '/lib', '/lib64'].filter((path) => existsSync(path))
const mounts = [
  ...programs.map((path) => visible(path, path)),
  visible(realpathSync(process.execPath), '/srv/node'),
  visible(server, '/srv/web/server.mjs'),
  ...[...packagesOf(server)].map(([name, path]) => visible(path, `/srv/web/node_modules/${name}`)),
]

const config = {
  ociVersion: '1.0.2',
  process: {
    // A user of the container's own, without any privilege.
    user: { uid: 65534, gid: 65534 },
    noNewPrivileges: true,
    args: ['/srv/node', '/srv/web/server.mjs'],
    env: ['PATH=/usr/bin'],
    cwd: '/',
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'web',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'mode=755', 'size=64k'],
    },
    {
      destination: '/run',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'nodev', 'size=64k'],
    },
    {
      destination: '/srv',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'nodev', 'size=64k'],
    },
    ...mounts,
  ],
  linux: {
    // With a network of its own, in which there is nothing: the socket is opened by systemd.
    namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })),
    maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/sysrq-trigger'],
    readonlyPaths: ['/proc/sys'],
  },
}

mkdirSync(join(bundle, 'rootfs'), { recursive: true })
for (const { destination } of config.mounts) {
  if (!destination.startsWith('/srv/'))
    mkdirSync(join(bundle, 'rootfs', destination), { recursive: true })
}
writeFileSync(join(bundle, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
process.stdout.write(`${resolve(bundle)}\n`)

/** @param {string} source @param {string} destination */
function visible(source, destination) {
  return { destination, type: 'bind', source, options: ['rbind', 'ro', 'nosuid', 'nodev'] }
}

/**
 * The packages that a program needs, wherever a package manager has put them.
 *
 * @param {string} program
 * @param {Map<string, string>} found
 * @returns {Map<string, string>} the folder of each by its name
 */
function packagesOf(program, found = new Map()) {
  const manifest = findManifest(dirname(program))
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (found.has(name)) continue
    const path = findPackage(name, program)
    found.set(name, path)
    packagesOf(join(path, 'package.json'), found)
  }
  return found
}

/** @param {string} folder @returns {{ dependencies?: Record<string, string> }} */
function findManifest(folder) {
  const file = join(folder, 'package.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : findManifest(dirname(folder))
}

/** @param {string} name @param {string} from */
function findPackage(name, from) {
  const folders = createRequire(from).resolve.paths(name) ?? []
  const path = folders.map((each) => join(each, name)).find((each) => existsSync(each))
  if (path === undefined) throw new Error(`${name} is not installed: npm install`)
  return realpathSync(path)
}
