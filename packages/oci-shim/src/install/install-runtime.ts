import { writeSync } from 'node:fs'
import { tell } from '../run/operator-log.js'
import { registerInContainerd } from './containerd-registration.js'
import { registerInCrio } from './crio-registration.js'
import { registerInDocker } from './docker-registration.js'
import type { FileChange } from './file-change.js'
import type { InstallEngine, InstallOptions } from './install-options.js'
import { findLowLevel, launcherFile, strangersAmong } from './launcher-file.js'
import { registerInPodman } from './podman-registration.js'
import { printChanges } from './print-changes.js'
import type { Registration } from './registration.js'

/** `sdbridge runtime install`: writes launchers, and makes them known to engines. What is as it should be stays untouched. */
export function installRuntime(options: InstallOptions): void {
  const { engines, name, directory, files, isDryRun } = options
  const launchers = new Map<string, FileChange>()
  const launcherOf = (names: readonly string[]): string => {
    const change = launcherFile(options.lowLevel ?? findLowLevel(names), directory)
    launchers.set(change.file, change)
    return change.file
  }
  const registrations = engines.map((engine) => {
    const { lowLevels, register } = REGISTRARS[engine]
    return register({ name, launcher: launcherOf(lowLevels), file: files[engine] })
  })
  if (engines.length === 0) launcherOf(['runc', 'crun'])
  for (const launcher of launchers.values()) for (const line of strangersAmong(launcher)) tell(line)
  // An engine that knows a launcher finds it.
  printChanges([...launchers.values(), ...registrations], isDryRun)
  if (isDryRun) return
  const [launcher = ''] = launchers.keys()
  const next =
    engines.length === 0
      ? [
          `ctr run --runc-binary ${launcher}, nerdctl run --runtime ${launcher} and podman --runtime ${launcher} know it by its path; others: sdbridge runtime install --help`,
        ]
      : engines.map((engine) => REGISTRARS[engine].next(name))
  writeSync(1, next.map((line) => `${line}\n`).join(''))
}

interface Registrar {
  /** What the engine would start itself, in order of preference. */
  readonly lowLevels: readonly string[]
  readonly register: (registration: Registration) => FileChange
  /** What is left to do. */
  readonly next: (name: string) => string
}

const REGISTRARS: Readonly<Record<InstallEngine, Registrar>> = {
  docker: {
    lowLevels: ['runc', 'crun'],
    register: registerInDocker,
    next: (name) =>
      `docker: systemctl reload docker; then docker run --runtime=${name}, which sdbridge run adds by itself`,
  },
  containerd: {
    lowLevels: ['runc', 'crun'],
    register: registerInContainerd,
    next: (name) =>
      `containerd: systemctl restart containerd; then a RuntimeClass with handler: ${name}`,
  },
  podman: {
    lowLevels: ['crun', 'runc'],
    register: registerInPodman,
    next: (name) => `podman: podman --runtime ${name} run`,
  },
  crio: {
    lowLevels: ['crun', 'runc'],
    register: registerInCrio,
    next: (name) => `CRI-O: systemctl restart crio; then a RuntimeClass with handler: ${name}`,
  },
}
