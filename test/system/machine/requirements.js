// @ts-check
import { spawn } from 'node:child_process'
import { access, stat } from 'node:fs/promises'
import { release } from 'node:os'
import { outcomeOf } from './outcome.js'

/**
 * What this machine lacks to boot a `Machine`, each a sentence that says what to do about it.
 *
 * @returns {Promise<string[]>} empty when nothing is missing
 */
export async function missingRequirements() {
  if (process.platform !== 'linux') {
    return [`systemd runs on Linux only, and this is ${process.platform}: use a virtual machine.`]
  }
  const reasons = await Promise.all([missingKernel(), missingSystemd(), missingCommands()])
  if (process.getuid?.() !== 0) reasons.push('Only root can boot a machine: use sudo.')
  const found = reasons.filter((reason) => reason !== undefined)
  // The rest is tried out, which takes all of the above.
  return found.length > 0 ? found : missingMounts()
}

/**
 * What this machine lacks beside that to run containers: their files are made of its own, and on its
 * own systemd they are run by its runc.
 *
 * @returns {Promise<string[]>}
 */
export async function missingForContainers() {
  const missing = await missingOf(['cc', 'runc', 'busybox', '/usr/bin/python3'])
  if (missing.length === 0) return []
  return [`For containers: ${missing.join(', ')}: install gcc, runc, busybox and python3.`]
}

/**
 * What to do about missing requirements: skip, and say so once on standard error. In CI, where
 * SDBRIDGE_REQUIRE_SYSTEM is 1, a skipped test would look like one that passed, so there it is an
 * error.
 *
 * @param {string[]} reasons
 * @returns {boolean} whether to skip
 */
export function skipOrFail(reasons) {
  if (reasons.length === 0) return false
  const text = reasons.map((reason) => `  - ${reason}\n`).join('')
  if (process.env['SDBRIDGE_REQUIRE_SYSTEM'] === '1') {
    throw new Error(
      `no machine can be booted here, and SDBRIDGE_REQUIRE_SYSTEM=1 asks for one:\n${text}`,
    )
  }
  if (!hasPrinted) process.stderr.write(`SKIPPED: tests with a real systemd, because:\n${text}`)
  hasPrinted = true
  return true
}

let hasPrinted = false

async function missingKernel() {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  if (major > 5 || (major === 5 && minor >= 14)) return undefined
  return `Linux ${release()} is too old: cgroup.kill came with 5.14.`
}

async function missingSystemd() {
  const isThere = await access('/lib/systemd/systemd').then(
    () => true,
    () => false,
  )
  if (!isThere) return 'There is no /lib/systemd/systemd: install systemd (it need not be running).'
  const [root, usr] = await Promise.all([stat('/'), stat('/usr')])
  // An overlay shows one file system, not those that are mounted on it.
  if (root.dev !== usr.dev)
    return '/usr is a file system of its own, which the machine would not see.'
  return undefined
}

async function missingCommands() {
  const names = [
    'bash',
    'unshare',
    'nsenter',
    'setpriv',
    'findmnt',
    'pivot_root',
    'mount',
    'script',
  ]
  const missing = await missingOf(names)
  if (missing.length === 0) return undefined
  return `Missing commands: ${missing.join(', ')}: install util-linux, bsdutils, mount and bash.`
}

/** @param {string[]} names of commands */
async function missingOf(names) {
  const { stdout } = await shell(`for name in ${names.join(' ')}; do
    command -v "$name" >/dev/null || echo "$name"
  done`)
  return stdout.split('\n').filter((name) => name !== '')
}

async function missingMounts() {
  const namespaces = await attempt(
    'This machine may not make namespaces: in a container, run it with --privileged.',
    'unshare --mount --pid --fork --net --uts --ipc --cgroup true',
  )
  if (namespaces !== undefined) return [namespaces]
  const mounts = await Promise.all([
    attempt(
      'No overlay file system can be mounted on /: load the kernel module "overlay".',
      `scratch=$(mktemp -d) && trap 'rmdir "$scratch"' EXIT
      unshare --mount sh -ec '
        mount -t tmpfs tmpfs "$0"
        mkdir "$0/upper" "$0/work" "$0/root"
        options=lowerdir=/,upperdir=$0/upper,workdir=$0/work
        mount -t overlay -o "$options" overlay "$0/root"' "$scratch"`,
    ),
    attempt(
      'No cgroup2 hierarchy can be mounted: boot the kernel with cgroup version 2.',
      // In a cgroup namespace of its own the mount options of the host stay as they are.
      'unshare --mount --cgroup mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    ),
  ])
  return mounts.filter((reason) => reason !== undefined)
}

/**
 * @param {string} reason
 * @param {string} script
 */
async function attempt(reason, script) {
  const { exitCode, stderr } = await shell(script)
  return exitCode === 0 ? undefined : `${reason} (${stderr.trim()})`
}

/** @param {string} script */
function shell(script) {
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }
  return outcomeOf(spawn('/bin/sh', ['-c', script], { env }))
}
