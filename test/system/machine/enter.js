// @ts-check
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * The command line that runs a command inside a machine.
 *
 * @param {number} pid of the machine's PID 1, as it is called outside
 * @param {string} command
 * @param {string[]} args
 * @returns {{ file: string, fileArgs: string[] }}
 */
export function enter(pid, command, args) {
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid']
  return {
    file: 'nsenter',
    fileArgs: [
      ...['--target', `${pid}`, ...namespaces, '--'],
      ...['sh', '-c', JOIN_CGROUP, 'sh', command, ...args],
    ],
  }
}

/**
 * Starts a command inside a machine. Its `kill()` reaches the command's whole process group.
 *
 * @param {number} pid of the machine's PID 1, as it is called outside
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 * @returns {import('node:child_process').ChildProcessWithoutNullStreams}
 */
export function spawnInside(pid, command, args, env) {
  const { file, fileArgs } = enter(pid, 'setsid', [command, ...args])
  const child = spawn(file, fileArgs, { env: environment(env), stdio: 'pipe', detached: true })
  child.kill = (signal) => killInside(child, signal)
  return child
}

/**
 * Not this process's environment: inside, its NOTIFY_SOCKET or NODE_OPTIONS would be wrong.
 *
 * @param {Record<string, string>} [more]
 * @returns {Record<string, string>}
 */
export function environment(more) {
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return { PATH, HOME: '/root', LANG: 'C.UTF-8', ...more }
}

// The cgroup namespace comes after the cgroup: with the mount option nsdelegate nobody is moved in
// from inside. nsenter itself, which waits outside, stays out of the cgroup: when the machine is
// killed, it is there to reap the command.
const JOIN_CGROUP =
  'echo 0 >/sys/fs/cgroup/commands/cgroup.procs && exec nsenter --cgroup=/proc/1/ns/cgroup -- "$@"'

/**
 * nsenter stands between us and the command. It hands no signal on, and has to stay until it has
 * reaped the command.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals | number} [signal]
 * @returns {boolean}
 */
function killInside({ pid, exitCode, signalCode }, signal) {
  if (pid === undefined || exitCode !== null || signalCode !== null) return false
  try {
    const [command] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
    // Without a child it is only on its way in.
    return process.kill(-(Number(command) || pid), signal)
  } catch {
    return false
  }
}
