import { rmdirSync, writeSync } from 'node:fs'
import { isLauncher } from '../engines/launcher-mark.js'
import { BridgeError } from '../run/bridge-error.js'
import { configurationTexts, filesIn } from './configuration-texts.js'
import { unregisterFromContainerd } from './containerd-registration.js'
import { defaultRuntime, unregisterFromDocker } from './docker-registration.js'
import { withoutDropIn } from './drop-in.js'
import { type FileChange, readTextFile } from './file-change.js'
import { ENGINES, type InstallEngine, type UninstallOptions } from './install-options.js'
import { printChanges } from './print-changes.js'
import type { RegistrationToUndo } from './registration.js'
import { type RuntimeUsers, runtimeUsers } from './runtime-users.js'

/**
 * `sdbridge runtime uninstall`: undoes what `sdbridge runtime install` has done, for these engines; for all if none is named. Launchers go unless
 * an engine knows them still.
 *
 * @throws BridgeError while they are needed.
 */
export async function uninstallRuntime(options: UninstallOptions): Promise<void> {
  const { name, directory, files, isDryRun } = options
  const engines = options.engines.length === 0 ? ENGINES : options.engines
  const undone = new Map<InstallEngine, FileChange>()
  for (const engine of engines) {
    const change = UNREGISTER[engine]({ name, directory, file: files[engine] })
    if (change !== undefined) undone.set(engine, change)
  }
  const launchers = unneededLaunchers(options, undone)
  await checkUnused(options, undone, launchers)
  // Nobody knows a launcher that is not there.
  const isAny = printChanges([...undone.values(), ...launchers], isDryRun)
  if (!isAny) writeSync(1, 'there is nothing to remove\n')
  if (isDryRun) return
  removeIfEmpty(directory)
  const next = [...undone.keys()].flatMap((engine) => NEXT[engine] ?? [])
  writeSync(1, next.map((line) => `${line}\n`).join(''))
}

const UNREGISTER: Readonly<
  Record<InstallEngine, (registration: RegistrationToUndo) => FileChange | undefined>
> = {
  docker: unregisterFromDocker,
  containerd: unregisterFromContainerd,
  podman: ({ file }) => withoutDropIn(file),
  crio: ({ file }) => withoutDropIn(file),
}

const NEXT: Partial<Record<InstallEngine, string>> = {
  docker:
    'docker: systemctl restart docker; by a reload it forgets no runtime unless others are left in daemon.json',
  containerd: 'containerd: systemctl restart containerd',
  crio: 'CRI-O: systemctl restart crio',
}

/** Those of which no engine's configuration will speak, under this or another name; of those that these engines know, where some are named. */
function unneededLaunchers(
  { engines, directory, files }: UninstallOptions,
  undone: ReadonlyMap<InstallEngine, FileChange>,
): FileChange[] {
  const changes = [...undone.values()]
  const left = configurationTexts(files, changes)
  const isMeant = (file: string): boolean =>
    engines.length === 0 || changes.some(({ before = '' }) => mentions(before, file))
  return launchersIn(directory)
    .filter((file) => isMeant(file) && !left.some((text) => mentions(text, file)))
    .map((file) => ({ file, before: readTextFile(file), after: undefined }))
}

function mentions(text: string, file: string): boolean {
  return text.includes(JSON.stringify(file))
}

function launchersIn(directory: string): string[] {
  return filesIn(directory).filter((file) => isLauncher(file))
}

async function checkUnused(
  { name, isForced }: UninstallOptions,
  undone: ReadonlyMap<InstallEngine, FileChange>,
  launchers: readonly FileChange[],
): Promise<void> {
  const runtimes = new Set([name, ...launchers.map(({ file }) => file)])
  const users: RuntimeUsers[] = []
  for (const engine of ['docker', 'podman'] as const) {
    // podman takes a launcher by its path, too.
    const isConcerned = undone.has(engine) || (engine === 'podman' && launchers.length > 0)
    if (isConcerned) users.push(await usersOrNone(engine, runtimes, isForced))
  }
  if (users.some((each) => each.defaultRuntime === name)) throw defaultRuntime('docker info', name)
  const containers = users.flatMap((each) => each.containers)
  if (isForced || containers.length === 0) return
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `containers have this runtime, without which they can be neither stopped nor removed: ${containers.join(', ')}: remove them first, or give --force`,
  )
}

async function usersOrNone(
  engine: 'docker' | 'podman',
  runtimes: ReadonlySet<string>,
  isForced: boolean,
): Promise<RuntimeUsers> {
  try {
    return await runtimeUsers(engine, runtimes)
  } catch (error) {
    if (isForced) return { containers: [], defaultRuntime: undefined }
    throw error
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // It is not there, or others have something there.
  }
}
