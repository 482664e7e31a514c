import type { EditedWords } from './edited-words.js'
import { hasOption, isSwitchedOn, optionValue } from './engine-command.js'
import { mountTargets } from './mount-targets.js'
import type { ImageEngineCommand } from './plan-image-launch.js'
import { refusedOption } from './refused-option.js'
import { SYSTEMD_STOP_SIGNAL, SYSTEMD_TMPFS } from './systemd-needs.js'

/**
 * Adds what systemd needs as a container's first process, without a privileged container: file systems in memory, a cgroup namespace with a
 * cgroup that it may write to, and its own stop signal.
 *
 * @throws EngineError for an option that goes against that.
 */
export function addSystemd(command: ImageEngineCommand, words: EditedWords): void {
  if (command.engine === 'nerdctl')
    throw refusedOption(
      command,
      'systemd as the payload',
      'it could not be tried with nerdctl: use docker or podman',
    )
  refuseOtherFirstProcess(command)
  refuseCgroups(command)
  refuseMounts(command)
  if (!hasOption(command, 'cgroupns')) words.add('--cgroupns=private')
  // An image that has another one was not made for this: systemd takes SIGTERM for an order to execute itself again.
  if (!hasOption(command, 'stop-signal')) words.add(`--stop-signal=${SYSTEMD_STOP_SIGNAL}`)
  if (command.engine === 'podman') addToPodman(command, words)
  else addToDocker(command, words)
}

function addToPodman(command: ImageEngineCommand, words: EditedWords): void {
  const theirs = command.options.filter(({ name }) => name === 'systemd')
  if (theirs.length === 0) words.add('--systemd=always')
  for (const option of theirs) {
    if (option.value === 'false')
      throw refusedOption(command, '--systemd=false', 'leave it out, or sdbridge’s --systemd')
    words.replace(option, 'always')
  }
}

function addToDocker(command: ImageEngineCommand, words: EditedWords): void {
  const security = command.options.flatMap(({ name, value }) =>
    name === 'security-opt' && value !== undefined ? [value] : [],
  )
  const theirs = security.findLast((each) => /^writable-cgroups[=:]/.test(each))
  if (theirs !== undefined && /[=:](?:0|f|false)$/i.test(theirs))
    throw refusedOption(
      command,
      `--security-opt ${theirs}`,
      'systemd makes a cgroup for each of its units: leave it out',
    )
  if (theirs === undefined) words.add('--security-opt', 'writable-cgroups=true')
  const mounted = new Set(mountTargets(command).map(({ path }) => path))
  for (const { path, mode } of SYSTEMD_TMPFS)
    // docker's own default has noexec.
    if (!mounted.has(path)) words.add('--tmpfs', `${path}:exec,mode=${mode}`)
  const isSet = command.options.some(
    ({ name, value }) => name === 'env' && value?.startsWith('container=') === true,
  )
  if (!isSet) words.add('--env', `container=${command.engine}`)
}

function refuseOtherFirstProcess(command: ImageEngineCommand): void {
  if (isSwitchedOn(command, 'init'))
    throw refusedOption(command, '--init', 'systemd has to be process 1: leave it out')
  const pid = optionValue(command, 'pid')
  if (pid !== undefined && pid !== '' && pid !== 'private')
    throw refusedOption(command, `--pid ${pid}`, 'systemd has to be process 1: leave it out')
  const user = optionValue(command, 'user')
  if (user !== undefined && !/^(?:0|root)?(?::|$)/.test(user))
    throw refusedOption(
      command,
      `--user ${user}`,
      'systemd starts as root, and its units run as User= says: leave it out',
    )
}

function refuseCgroups(command: ImageEngineCommand): void {
  const namespace = optionValue(command, 'cgroupns')
  if (namespace !== undefined && namespace !== '' && namespace !== 'private')
    throw refusedOption(
      command,
      `--cgroupns=${namespace}`,
      'systemd would take cgroups for its own that are not: leave it out',
    )
  const cgroups = optionValue(command, 'cgroups')
  if (cgroups === 'disabled')
    throw refusedOption(
      command,
      '--cgroups=disabled',
      'systemd needs a cgroup of its own: leave it out',
    )
}

function refuseMounts(command: ImageEngineCommand): void {
  for (const { path, isTmpfs, text } of mountTargets(command)) {
    if (path === '/sys' || path === '/sys/fs' || path === '/sys/fs/cgroup')
      throw refusedOption(
        command,
        text,
        'the container has a cgroup of its own there: leave it out',
      )
    if (path === '/run' && !isTmpfs)
      throw refusedOption(
        command,
        text,
        'systemd expects an empty /run in memory: mount on a directory below it, or elsewhere',
      )
  }
}
