import { join } from 'node:path'
import { configuredVariables, editConfig } from '../runtime/edit-config.js'
import { mountInTheWay } from '../runtime/mount-in-the-way.js'
import { configFileOf, readBundle, type Bundle } from '../runtime/bundle.js'
import { isObject } from '../runtime/json-values.js'
import type { Json } from '../runtime/exact-json.js'
import { isOnReadOnly, missingMountpoints } from '../runtime/mountpoints.js'
import { withSystemd } from '../runtime/systemd-config.js'
import { nameOfVariable } from '../runtime/variables.js'
import { writeBundle } from '../runtime/write-bundle.js'
import { type BundleContainer, bundleContainerCommands } from './bundle-container-commands.js'
import { EditedWords } from './edited-words.js'
import { hasOption, isSwitchedOn, optionValue, type EngineCommand } from './engine-command.js'
import { EngineError } from './engine-error.js'
import { DIRECTORY_LABEL, UNIT_LABEL } from './labels.js'
import type { BridgeFacts, Launch } from './launch.js'
import { labelDirectory } from './label-directory.js'
import type { PreparedContainer } from './prepared-container.js'
import { stopSignalNumber } from './stop-signal.js'
import { refuseForSystemd } from './systemd-bundle.js'
import { usesSystemdCgroups } from './systemd-cgroups.js'
import { SYSTEMD_STOP_SIGNAL, SYSTEMD_TMPFS } from './systemd-needs.js'

type BundleFacts = BridgeFacts & { readonly engine: 'runc' | 'crun' }

/** The launch of a container of a bundle, by runc or crun, from an edited copy of its configuration. */
export async function planBundleLaunch(
  command: EngineCommand,
  facts: BundleFacts,
  prepared: PreparedContainer | undefined,
): Promise<Launch> {
  const id = command.operands[0] ?? ''
  if (command.verb === 'start') {
    const stopSignal = stopSignalNumber(prepared?.stopSignal)
    const container = { id, stopSignal, pidFile: undefined, bundle: undefined }
    return {
      ...launchOf(command, facts, command.words, { ...container, detached: true }),
      warnings: [],
      mountpoints: [],
      prepare: () => Promise.resolve(),
    }
  }

  refuseDescriptors(command)
  const warnings: string[] = []
  const bundle = withNeeds(command, facts, await read(command))
  const config = editConfig(bundle, await editOf(command, facts, bundle, warnings))
  const copy = join(facts.privateDirectory, 'bundle')
  const { words, pidFile } = editWords(command, facts, copy, warnings)
  const stopSignal = stopSignalNumber(annotationOf(bundle, STOP_SIGNAL_ANNOTATION))
  return {
    ...launchOf(command, facts, words.all, {
      // Only with a console socket a runtime that stays would want a terminal of its own.
      detached: isSwitchedOn(command, 'detach') && hasOption(command, 'console-socket'),
      stopSignal,
      id,
      pidFile,
      bundle: copy,
    }),
    warnings,
    mountpoints: await mountpointsOf(command, facts, bundle),
    prepare: async () => {
      await writeBundle(copy, { original: bundle.directory, text: bundle.json.stringify(config) })
      const label = isObject(config['linux']) ? config['linux']['mountLabel'] : undefined
      if (facts.selinux && typeof label === 'string' && label !== '')
        await labelDirectory(facts.notifyDirectory, label)
    },
  }
}

const STOP_SIGNAL_ANNOTATION = 'org.opencontainers.image.stopSignal'

function withNeeds(command: EngineCommand, { systemd }: BundleFacts, bundle: Bundle): Bundle {
  if (!systemd) return bundle
  refuseForSystemd(command, bundle.config)
  const config = withSystemd(bundle.config, SYSTEMD_TMPFS)
  const stopSignal = annotationOf(bundle, STOP_SIGNAL_ANNOTATION) ?? SYSTEMD_STOP_SIGNAL
  const given = isObject(config['annotations']) ? config['annotations'] : {}
  // There a later start finds it, too.
  const annotations = { ...given, [STOP_SIGNAL_ANNOTATION]: stopSignal }
  return { ...bundle, config: { ...config, annotations } }
}

function launchOf(
  command: EngineCommand,
  { engine, fdNames }: BundleFacts,
  words: readonly string[],
  container: BundleContainer & { detached: boolean },
): Omit<Launch, 'warnings' | 'mountpoints' | 'prepare'> {
  return {
    engine,
    verb: command.verb,
    file: command.file,
    args: [...command.globals, ...command.verbWords, ...words],
    detached: container.detached,
    // To a container that is there already, its descriptors have been passed.
    passesFds: command.verb !== 'start' || fdNames.length === 0,
    environment: {},
    inheritsState: true,
    container: bundleContainerCommands(command, container),
  }
}

async function read(command: EngineCommand): Promise<Bundle> {
  const place = [optionValue(command, 'bundle') ?? '.', optionValue(command, 'config')] as const
  try {
    return await readBundle(...place)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new EngineError(
      'ERR_ENGINE_BUNDLE',
      `${command.engine} ${command.verb}: ${configFileOf(...place)}: expected the configuration of a bundle: ${reason}`,
      error,
    )
  }
}

function refuseDescriptors(command: EngineCommand): void {
  if (!hasOption(command, 'preserve-fds')) return
  throw new EngineError(
    'ERR_ENGINE_OPTION',
    `${command.engine} ${command.verb}: --preserve-fds: the unit's sockets are passed on without it: leave it out`,
  )
}

function editWords(
  command: EngineCommand,
  facts: BundleFacts,
  copy: string,
  warnings: string[],
): { words: EditedWords; pidFile: string } {
  const words = new EditedWords(command)
  for (const option of command.options) {
    if (option.name === 'bundle') words.replace(option, copy)
    if (option.name === 'config') words.replace(option, join(copy, 'config.json'))
  }
  if (!hasOption(command, 'bundle')) words.add('--bundle', copy)
  const pidFile = optionValue(command, 'pid-file') ?? join(facts.privateDirectory, 'container.pid')
  if (!hasOption(command, 'pid-file')) words.add('--pid-file', pidFile)
  // Not by LISTEN_FDS of its own environment: runc wants its own pid beside it, and crun would not tell the payload.
  if (facts.fdNames.length > 0) words.add('--preserve-fds', String(facts.fdNames.length))
  if (isSwitchedOn(command, 'detach') && !hasOption(command, 'console-socket')) {
    // From the last, so that of several letters in a word each is still where it was.
    for (const option of command.options.toReversed())
      if (option.name === 'detach') words.remove(option)
    warnings.push(
      `${command.engine} ${command.verb}: --detach: left out: the runtime stays, and passes on the payload's exit status`,
    )
  }
  return { words, pidFile }
}

async function editOf(
  command: EngineCommand,
  facts: BundleFacts,
  bundle: Bundle,
  warnings: string[],
): Promise<Parameters<typeof editConfig>[1]> {
  const { variables, fdNames, containerDirectory, notifyDirectory } = facts
  refuseMounts(command, containerDirectory, bundle)
  const listen: Record<string, string> =
    fdNames.length === 0
      ? {}
      : {
          LISTEN_FDS: String(fdNames.length),
          LISTEN_PID: '1',
          LISTEN_FDNAMES: fdNames.join(':'),
        }
  const ownVariables = new Set(['NOTIFY_SOCKET', ...Object.keys(listen)])
  for (const each of configuredVariables(bundle.config))
    if (ownVariables.has(nameOfVariable(each)))
      warnings.push(`config.json: ${each}: replaced by the bridge's own`)
  if (fdNames.length > 0 && !hasPidNamespace(bundle))
    warnings.push(
      'config.json: no pid namespace: the payload is not process 1, which LISTEN_PID=1 names: most programs will not take the sockets',
    )
  const { process } = bundle.config
  if (isObject(process) && process['terminal'] === true && !hasOption(command, 'console-socket'))
    warnings.push(
      'config.json: process.terminal is true, and a unit has no terminal unless StandardInput= says so: set it to false if the runtime complains',
    )
  return {
    mount: { source: notifyDirectory, target: containerDirectory },
    variables: { ...variables, ...listen, ...(facts.systemd ? { container: 'oci' } : {}) },
    ownVariables,
    annotations: {
      [UNIT_LABEL]: facts.unit,
      ...(command.verb === 'create' ? { [DIRECTORY_LABEL]: notifyDirectory } : {}),
    },
    cgroupsPath: cgroupsPathOf(command, facts),
  }
}

function refuseMounts(command: EngineCommand, target: string, { config }: Bundle): void {
  const path = mountInTheWay(config, target)
  if (path === undefined) return
  throw new EngineError(
    'ERR_ENGINE_OPTION',
    `${command.engine} ${command.verb}: config.json mounts ${path}: ${target} is where the notification socket goes: give sdbridge another --container-directory`,
  )
}

// The runtimes' own default is a cgroup beside the unit's, which is not the unit's to kill. systemd's way has no cgroup paths.
function cgroupsPathOf(command: EngineCommand, { cgroupParent }: BundleFacts): string | undefined {
  if (cgroupParent === undefined || usesSystemdCgroups(command)) return undefined
  return `${cgroupParent.replace(/\/+$/, '')}/${command.operands[0] ?? ''}`
}

async function mountpointsOf(
  { engine, verb }: EngineCommand,
  { containerDirectory }: BundleFacts,
  { config, directory }: Bundle,
): Promise<readonly string[]> {
  const root = isObject(config['root']) ? config['root']['path'] : undefined
  if (typeof root !== 'string') return []
  const rootfs = root.startsWith('/') ? root : join(directory, root)
  const missing = await missingMountpoints(rootfs, containerDirectory)
  if (
    missing.length > 0 &&
    !isCovered(config['mounts'], containerDirectory) &&
    (await isOnReadOnly(rootfs))
  ) {
    throw new EngineError(
      'ERR_ENGINE_BUNDLE',
      `${engine} ${verb}: ${rootfs} is read-only and has no ${containerDirectory} to mount on: make that directory, let config.json mount a tmpfs above it, or give sdbridge another --container-directory`,
    )
  }
  return missing
}

/** Whether something is mounted on a directory above, so that the mountpoint is made in there. */
function isCovered(mounts: Json | undefined, target: string): boolean {
  if (!Array.isArray(mounts)) return false
  return (mounts as readonly Json[]).some((mount) => {
    const path = isObject(mount) ? mount['destination'] : undefined
    return typeof path === 'string' && target.startsWith(`${path.replace(/\/+$/, '')}/`)
  })
}

function hasPidNamespace({ config }: Bundle): boolean {
  const namespaces = isObject(config['linux']) ? config['linux']['namespaces'] : undefined
  if (!Array.isArray(namespaces)) return false
  return (namespaces as readonly Json[]).some(
    // Without a path it is a new one.
    (each) => isObject(each) && each['type'] === 'pid' && (each['path'] ?? '') === '',
  )
}

function annotationOf({ config }: Bundle, name: string): string | undefined {
  const annotations = isObject(config['annotations']) ? config['annotations'] : {}
  const value = annotations[name]
  return typeof value === 'string' ? value : undefined
}
