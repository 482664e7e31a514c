// @ts-check
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { access, mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cacheFolder } from '../../support/cache-folder.js'
import { outcomeOf } from './outcome.js'

/**
 * @typedef {object} Rootfs
 * @property {string} path the folder, for `Machine.boot({ root })`
 * @property {string} suite the Debian suite that it is of
 * @property {string} [fallbackReason] why it is not the first of the suites that were asked for
 */

// What the machine and the tests run. systemd loads libseccomp when a unit has a SystemCallFilter=.
const PACKAGES = ['dbus', 'iproute2', 'libseccomp2', 'mount', 'nodejs', 'procps', 'systemd']

// What tests of containers run beside that: the engines and what they cannot do without (podman even
// a network of none needs netavark, its --init catatonit, user namespaces newuidmap), programs that
// are small enough to be a container's, and daemons that send notifications and are not ours.
const CONTAINER_PACKAGES = [
  ...['docker.io', 'docker-cli', 'podman', 'runc', 'crun', 'conmon', 'netavark', 'catatonit'],
  ...[
    'uidmap',
    'systemd-container',
    'busybox-static',
    'python3-minimal',
    'redis-server',
    'haproxy',
    'nginx',
  ],
  ...['docker-compose', 'docker-buildx'],
]

/**
 * Makes a Debian root file system with a newer systemd and Node than this machine may have, or
 * finds the one that was made before. Debian's testing moves: when it cannot be had that day, it
 * says so and takes the next suite.
 *
 * They are kept below $SDBRIDGE_CACHE_DIR, or else ~/.cache/sdbridge. The mirror is the one in the
 * apt sources of this machine, or else $SDBRIDGE_DEBIAN_MIRROR.
 *
 * @param {string[]} [suites] in order of preference
 * @param {{ log?: (line: string) => void }} [options] where progress goes: by default to standard
 *   error
 * @returns {Promise<Rootfs>}
 */
export async function ensureRootfs(suites = ['forky', 'trixie'], { log = logToStderr } = {}) {
  /** @type {string[]} */
  const failures = []
  for (const suite of suites) {
    try {
      const path = await ensureSuite(suite, log)
      return failures.length === 0
        ? { path, suite }
        : { path, suite, fallbackReason: failures.join('\n') }
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error)
      failures.push(failure)
      log(`\n!!! NO DEBIAN ${suite.toUpperCase()}: ${failure}\n`)
    }
  }
  throw new Error(`no root file system could be made\n${failures.join('\n')}`)
}

/** @param {string} line */
function logToStderr(line) {
  process.stderr.write(`${line}\n`)
}

/**
 * @param {string} suite
 * @param {(line: string) => void} log
 * @returns {Promise<string>}
 */
async function ensureSuite(suite, log) {
  const recipe = recipeFor(suite)
  const hash = createHash('sha256').update(recipe.join('\n')).digest('hex').slice(0, 12)
  const cache = cacheFolder()
  const path = join(cache, `rootfs-${suite}-${hash}`)
  if (await exists(path)) return path

  await mkdir(cache, { recursive: true })
  const unlock = await lock(join(cache, `rootfs-${suite}.lock`), () =>
    log(`rootfs: waiting for another process that makes Debian ${suite}`),
  )
  try {
    if (!(await exists(path))) {
      await removeOthers(cache, suite, log)
      await build(path, suite, recipe, log)
    }
  } finally {
    await unlock()
  }
  return path
}

/**
 * Everything that decides what is inside, and nothing that differs between machines.
 *
 * @param {string} suite
 */
function recipeFor(suite) {
  return [
    '--mode=root',
    '--variant=essential',
    `--include=${[...PACKAGES, ...CONTAINER_PACKAGES].join(',')}`,
    // It can be made again, so nothing has to be safe on disk.
    '--dpkgopt=force-unsafe-io',
    ...['doc', 'info', 'locale', 'man'].map(
      (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
    ),
    '--format=directory',
    suite,
  ]
}

/**
 * The lock is freed by the kernel when this process dies.
 *
 * @param {string} file
 * @param {() => void} onWait
 * @returns {Promise<() => Promise<void>>}
 */
async function lock(file, onWait) {
  const holder = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo locked && exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(holder, 'close')
  const timer = setTimeout(onWait, 1000)
  try {
    const isLocked = await Promise.race([
      once(holder.stdout, 'data').then(() => true),
      ended.then(() => false),
    ])
    if (!isLocked) throw new Error(`${file} cannot be locked`)
  } finally {
    clearTimeout(timer)
  }
  return async () => {
    holder.stdin.end()
    await ended
  }
}

/**
 * Removes those of other recipes, and what was left half made.
 *
 * @param {string} cache
 * @param {string} suite
 * @param {(line: string) => void} log
 */
async function removeOthers(cache, suite, log) {
  const names = await readdir(cache, { withFileTypes: true })
  const others = names.filter(
    (entry) => entry.isDirectory() && entry.name.startsWith(`rootfs-${suite}-`),
  )
  for (const { name } of others) log(`rootfs: removing ${join(cache, name)}`)
  await remove(others.map(({ name }) => join(cache, name)))
}

/**
 * @param {string} path
 * @param {string} suite
 * @param {string[]} recipe
 * @param {(line: string) => void} log
 */
async function build(path, suite, recipe, log) {
  const start = performance.now()
  const mirror = await findMirror()
  const settings = await aptSettings()
  const partial = `${path}.partial-${process.pid}`
  /** @param {string} trust */
  const make = (trust) =>
    mmdebstrap([...settings, ...recipe, partial, `deb ${trust}${mirror} ${suite} main`], suite, log)
  try {
    log(`rootfs: making Debian ${suite} in ${path} from ${mirror}: once, one to two minutes`)
    try {
      await make('')
    } catch (error) {
      if (!isOnlyUnknownKey(String(error))) throw error
      log(`\n!!! DEBIAN ${suite.toUpperCase()} WITHOUT A CHECK OF SIGNATURES: ${String(error)}\n`)
      log('!!! A newer debian-archive-keyring would know the key.\n')
      await remove([partial])
      await make('[trusted=yes] ')
    }
    // A package that a suite renamed or split shows here, not in the middle of a test.
    await Promise.all(NEEDED_FILES.map((file) => access(join(partial, file))))
    await rename(partial, path)
  } catch (error) {
    await remove([partial])
    throw error
  }
  log(`rootfs: Debian ${suite} is there after ${Math.round((performance.now() - start) / 1000)} s`)
}

/**
 * A suite's key may be newer than this machine's keyring. A signature that is wrong is another
 * matter.
 *
 * @param {string} error
 */
function isOnlyUnknownKey(error) {
  return /NO_PUBKEY|Missing key/.test(error) && !/BADSIG|invalid/.test(error)
}

const NEEDED_FILES = [
  'lib/systemd/systemd',
  'usr/bin/node',
  'usr/bin/systemd-notify',
  'usr/bin/systemd-run',
  'usr/bin/systemd-socket-activate',
  ...['docker', 'podman', 'conmon', 'newuidmap', 'busybox', 'python3', 'redis-server'].map(
    (name) => `usr/bin/${name}`,
  ),
  ...['dockerd', 'haproxy', 'nginx'].map((name) => `usr/sbin/${name}`),
  ...['docker-compose', 'docker-buildx'].map((name) => `usr/libexec/docker/cli-plugins/${name}`),
]

/**
 * apt itself reads its sources, in whatever format and files they are.
 *
 * @returns {Promise<string>}
 */
async function findMirror() {
  const { SDBRIDGE_DEBIAN_MIRROR } = process.env
  if (SDBRIDGE_DEBIAN_MIRROR) return SDBRIDGE_DEBIAN_MIRROR
  const format = ['--format', '$(REPO_URI) $(COMPONENT)']
  const targets = await output('apt-get', ['indextargets', ...format, 'Created-By: Packages'])
  const [mirror] = targets.flatMap((line) => /^(https?:\S+\/debian\/?) main$/.exec(line)?.[1] ?? [])
  if (mirror) return mirror
  throw new Error(
    'the apt sources of this machine name no Debian mirror: set SDBRIDGE_DEBIAN_MIRROR to one',
  )
}

/**
 * How this machine gets at its mirror holds for the new root file system too.
 *
 * @returns {Promise<string[]>}
 */
async function aptSettings() {
  const names = ['http::Proxy', 'https::Proxy', 'Check-Valid-Until'].map(
    (name) => `Acquire::${name}`,
  )
  const format = ['--no-empty', '--format', '%f "%v"%n']
  const lines = await output('apt-config', ['dump', ...format, ...names])
  return lines.map((line) => `--aptopt=${line}`)
}

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<string[]>} the lines of its standard output
 */
async function output(command, args) {
  const { stdout, stderr, exitCode } = await outcomeOf(spawn(command, args))
  if (exitCode !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  return stdout.split('\n').filter((line) => line !== '')
}

/**
 * @param {string[]} args
 * @param {string} suite
 * @param {(line: string) => void} log
 */
async function mmdebstrap(args, suite, log) {
  // In namespaces that end with this process: another one may then want to start over.
  const untilWeDie = ['--pdeathsig', 'KILL', 'unshare', '--fork', '--kill-child', '--mount-proc']
  const child = spawn('setpriv', [...untilWeDie, '--pid', '--', 'mmdebstrap', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  })
  /** @type {string[]} */
  const lines = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (line.startsWith('I: ')) log(`rootfs: ${suite}: ${line.slice('I: '.length)}`)
  })
  const [exitCode] = await once(child, 'close')
  if (exitCode === 0) return
  throw new Error(`mmdebstrap ended with ${exitCode}\n${lines.slice(-TAIL_LINES).join('\n')}`)
}

const TAIL_LINES = 20

/** @param {string[]} paths */
async function remove(paths) {
  // Not fs.rm, which follows a mount that a killed build may have left.
  await output('rm', ['-rf', '--one-file-system', '--', ...paths])
}

/** @param {string} path */
async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  )
}
