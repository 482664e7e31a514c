import { join } from 'node:path'
import { EditedWords } from './edited-words.js'
import { hasOption, isSwitchedOn, optionValue, type EngineCommand } from './engine-command.js'
import { imageContainerCommands } from './image-container-commands.js'
import { DIRECTORY_LABEL, UNIT_LABEL } from './labels.js'
import type { BridgeFacts, Launch } from './launch.js'
import { REQUEST_ANNOTATION, REQUEST_VARIABLE } from './descriptor-request.js'
import { formatCsvFields } from './csv-fields.js'
import { mountTargets } from './mount-targets.js'
import { refusedOption } from './refused-option.js'
import { addSystemd } from './systemd-words.js'

/** An engine that starts containers of images. */
export type ImageEngineName = 'docker' | 'nerdctl' | 'podman'
export type ImageEngineCommand = EngineCommand & { readonly engine: ImageEngineName }

/** The launch of a container of an image, by docker, nerdctl or podman. */
export function planImageLaunch(command: ImageEngineCommand, facts: BridgeFacts): Launch {
  const { engine, verb, file, globals, verbWords } = command
  const words = new EditedWords(command)
  const warnings: string[] = []
  const isStart = verb === 'start'
  if (isStart) planStart(command, words)
  else planNew(command, facts, words, warnings)

  const passesFds = engine === 'podman'
  const removesItself = !isStart && isSwitchedOn(command, 'rm')
  const detached = isDetached(command)
  const idFile = isStart ? undefined : (optionValue(command, 'cidfile') ?? idFileOf(facts))
  const name = isStart
    ? (command.operands[0] ?? '')
    : (optionValue(command, 'name') ?? facts.containerName)
  return {
    engine,
    verb,
    file,
    args: [...globals, ...verbWords, ...words.all],
    detached,
    passesFds,
    environment: passesFds ? listenVariables(facts.fdNames) : {},
    inheritsState: engine === 'podman',
    container: imageContainerCommands(command, {
      name,
      idFile,
      unit: facts.unit,
      detached,
      removesItself,
    }),
    warnings,
    mountpoints: [],
    prepare: () => Promise.resolve(),
  }
}

/**
 * Whether the client ends at once. `docker start` is not made to attach: attached, it hands every signal that it gets to the
 * payload, and systemd may send SIGTERM to all processes of a unit where the image wants another signal.
 */
function isDetached(command: ImageEngineCommand): boolean {
  if (command.verb === 'run') return isSwitchedOn(command, 'detach')
  if (command.verb === 'create' || command.engine === 'podman') return false
  return !isSwitchedOn(command, 'attach') && !isSwitchedOn(command, 'interactive')
}

function planStart(command: ImageEngineCommand, words: EditedWords): void {
  const several = ['all', 'filter', 'latest'].find((name) => hasOption(command, name))
  if (several !== undefined)
    throw refusedOption(command, `--${several}`, 'a unit is one container: give its name')
  if (command.engine !== 'podman') return
  if (!hasOption(command, 'attach')) words.add('--attach')
  if (!hasOption(command, 'sig-proxy')) words.add('--sig-proxy=false')
}

function planNew(
  command: ImageEngineCommand,
  facts: BridgeFacts,
  words: EditedWords,
  warnings: string[],
): void {
  refuseRestarts(command)
  refuseDescriptors(command)
  addIdentity(command, facts, words)
  addMount(command, facts, words, warnings)
  addVariables(command, facts, words, warnings)
  // A signal that reaches the client as well as the bridge is the bridge's to answer, by the engine's stop.
  if (
    !facts.isClientMain &&
    command.verb === 'run' &&
    !hasOption(command, 'sig-proxy') &&
    !isSwitchedOn(command, 'detach')
  )
    words.add('--sig-proxy=false')
  addCgroup(command, facts, words)
  addRequest(command, facts, words)
  if (facts.systemd) addSystemd(command, words)
  if (command.engine === 'podman') ignoreNotifications(command, words, warnings)
  if (isDetached(command)) keepUntilFollowed(command, words)
  warnAboutPids(command, facts, warnings)
}

function refuseRestarts(command: ImageEngineCommand): void {
  const policy = optionValue(command, 'restart')
  if (policy === undefined || policy === '' || policy === 'no') return
  throw refusedOption(
    command,
    `--restart=${policy}`,
    "restarts are the service manager's: leave it out, and set Restart= in the unit",
  )
}

function refuseDescriptors(command: ImageEngineCommand): void {
  const name = ['preserve-fds', 'preserve-fd'].find((each) => hasOption(command, each))
  if (name === undefined) return
  throw refusedOption(
    command,
    `--${name}`,
    "the unit's sockets are passed on without it: leave it out",
  )
}

function addIdentity(command: ImageEngineCommand, facts: BridgeFacts, words: EditedWords): void {
  if (!hasOption(command, 'name')) words.add('--name', facts.containerName)
  words.add('--label', `${UNIT_LABEL}=${facts.unit}`)
  if (command.verb === 'create') words.add('--label', `${DIRECTORY_LABEL}=${facts.notifyDirectory}`)
  if (!hasOption(command, 'cidfile')) words.add('--cidfile', idFileOf(facts))
}

function addMount(
  command: ImageEngineCommand,
  { notifyDirectory, containerDirectory, selinux }: BridgeFacts,
  words: EditedWords,
  warnings: string[],
): void {
  for (const { path, isTmpfs, text } of mountTargets(command)) {
    if (path === containerDirectory || path.startsWith(`${containerDirectory}/`)) {
      throw refusedOption(
        command,
        text,
        `${containerDirectory} is where the notification socket goes: give sdbridge another --container-directory`,
      )
    }
    if (containerDirectory.startsWith(path === '/' ? path : `${path}/`) && !isTmpfs)
      warnings.push(
        `${text}: the engine makes ${containerDirectory} in it, as a mountpoint; --container-directory puts it elsewhere`,
      )
  }
  // Only --volume can ask for a label, and only --mount fails where the directory is missing, rather than to make one.
  if (selinux) words.add('--volume', `${notifyDirectory}:${containerDirectory}:ro,z`)
  else words.add('--mount', bindMount(notifyDirectory, containerDirectory))
}

function bindMount(source: string, target: string): string {
  return formatCsvFields(['type=bind', `source=${source}`, `target=${target}`, 'readonly'])
}

/**
 * A variable of the bridge's that the user names without a value is given its value there. `NOTIFY_SOCKET` can only be the
 * bridge's; another value of the others is the user's own wish.
 */
function addVariables(
  command: ImageEngineCommand,
  { variables }: BridgeFacts,
  words: EditedWords,
  warnings: string[],
): void {
  for (const [name, value] of Object.entries(variables)) {
    const theirs = command.options.filter((option) => {
      const text = option.name === 'env' ? option.value : undefined
      return text === name || text?.startsWith(`${name}=`) === true
    })
    for (const option of theirs) {
      const isNamed = option.value === name
      if (isNamed || name === 'NOTIFY_SOCKET') words.replace(option, `${name}=${value}`)
      if (!isNamed && name === 'NOTIFY_SOCKET' && option.value !== `${name}=${value}`)
        warnings.push(`--env ${option.value ?? ''}: replaced by the bridge's own, ${value}`)
    }
    if (theirs.length === 0) words.add('--env', `${name}=${value}`)
  }
}

function addCgroup(
  command: ImageEngineCommand,
  { cgroupParent }: BridgeFacts,
  words: EditedWords,
): void {
  const isSet = ['cgroup-parent', 'cgroups', 'pod'].some((name) => hasOption(command, name))
  if (cgroupParent === undefined || isSet) return
  // podman's own way works with either of its cgroup managers, where a parent has to be a slice for one of them.
  if (command.engine === 'podman') words.add('--cgroups=split')
  else words.add('--cgroup-parent', cgroupParent)
}

function addRequest(
  command: ImageEngineCommand,
  { fdNames, request }: BridgeFacts,
  words: EditedWords,
): void {
  if (request === undefined) return
  if (isSwitchedOn(command, 'init') && fdNames.length > 0)
    throw refusedOption(
      command,
      '--init',
      'the payload is not process 1 then, which LISTEN_PID=1 names, and most programs will not take the sockets: leave it out',
    )
  const { door, text } = request
  if (door.runtime !== undefined) words.add('--runtime', door.runtime)
  if (door.carrier === 'annotation') words.add('--annotation', `${REQUEST_ANNOTATION}=${text}`)
  else words.add('--env', `${REQUEST_VARIABLE}=${text}`)
}

function ignoreNotifications(
  command: ImageEngineCommand,
  words: EditedWords,
  warnings: string[],
): void {
  const theirs = command.options.filter(({ name }) => name === 'sdnotify')
  if (theirs.length === 0) words.add('--sdnotify=ignore')
  for (const option of theirs.filter(({ value }) => value !== 'ignore')) {
    words.replace(option, 'ignore')
    warnings.push(
      `--sdnotify=${option.value ?? ''}: replaced by --sdnotify=ignore; the bridge passes on what the payload says, and podman would say it too`,
    )
  }
}

/** A container that has removed itself cannot be asked for its exit code: the bridge removes it, when it has that. */
function keepUntilFollowed(command: ImageEngineCommand, words: EditedWords): void {
  for (const option of command.options.filter(({ name }) => name === 'rm'))
    words.replace(option, 'false')
}

function warnAboutPids(command: ImageEngineCommand, facts: BridgeFacts, warnings: string[]): void {
  const pid = optionValue(command, 'pid')
  if (pid === undefined || pid === '' || pid === 'private' || facts.fdNames.length === 0) return
  warnings.push(
    `--pid ${pid}: the payload is not process 1, which LISTEN_PID=1 names: most programs will not take the sockets`,
  )
}

function listenVariables(fdNames: readonly string[]): Record<string, string> {
  if (fdNames.length === 0) return {}
  return { LISTEN_FDS: String(fdNames.length), LISTEN_FDNAMES: fdNames.join(':') }
}

function idFileOf({ privateDirectory }: BridgeFacts): string {
  return join(privateDirectory, 'container.id')
}
