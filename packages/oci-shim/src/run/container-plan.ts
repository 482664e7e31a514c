import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type EngineCommand, optionValue, parseEngineCommand } from '../engines/engine-command.js'
import type { BridgeFacts, Launch } from '../engines/launch.js'
import { planLaunch } from '../engines/plan-launch.js'
import { findPreparedContainer } from '../engines/prepared-container.js'
import { fileNameOf, PrivateDirectory, sharedDirectory } from './private-directory.js'

/** A container engine's command, and what it takes to run it. */
export interface ContainerPlan {
  readonly command: EngineCommand
  readonly launch: Launch
  readonly directory: PrivateDirectory
}

/** What a plan depends on, beside the command. */
export interface PlanFacts extends Omit<
  BridgeFacts,
  'notifyDirectory' | 'privateDirectory' | 'containerName' | 'selinux'
> {
  /** The unit's own directory. */
  readonly path: string
}

/** @returns `undefined` for a command that is no known engine's. */
export async function planContainer(
  words: readonly string[],
  { path, ...facts }: PlanFacts,
): Promise<ContainerPlan | undefined> {
  const command = parseEngineCommand(words)
  if (command === undefined) return undefined
  const containerName = containerNameOf(facts.unit)
  const prepared = command.verb === 'start' ? await findPreparedContainer(command) : undefined
  const lasting = prepared?.notifyDirectory ?? lastingDirectory(command, containerName)
  const directory = new PrivateDirectory(path, lasting)
  const launch = await planLaunch(
    command,
    {
      ...facts,
      notifyDirectory: directory.notifyDirectory,
      privateDirectory: directory.path,
      containerName,
      selinux: isSelinuxEnabled(),
    },
    prepared,
  )
  return { command, launch, directory }
}

// A container that is created now and started later has the directory's path in its configuration.
function lastingDirectory(command: EngineCommand, containerName: string): string | undefined {
  if (command.verb !== 'create') return undefined
  const isRuntime = command.engine === 'runc' || command.engine === 'crun'
  const name = isRuntime ? command.operands[0] : optionValue(command, 'name')
  return join(
    sharedDirectory(),
    'containers',
    `${command.engine}-${fileNameOf(name ?? containerName)}`,
    'notify',
  )
}

/** A name that docker, podman and runc all take. */
function containerNameOf(unit: string): string {
  return `sdbridge-${fileNameOf(unit).replaceAll(/[^\w.-]/g, '-')}`
}

function isSelinuxEnabled(): boolean {
  return existsSync('/sys/fs/selinux/enforce')
}
