import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  type DescriptorDoor,
  type DescriptorRequest,
  formatRequest,
  newRequest,
} from '../engines/descriptor-request.js'
import { type EngineCommand, optionValue } from '../engines/engine-command.js'
import type { BridgeFacts, Launch } from '../engines/launch.js'
import { planLaunch } from '../engines/plan-launch.js'
import { findPreparedContainer, type PreparedContainer } from '../engines/prepared-container.js'
import { BridgeError } from './bridge-error.js'
import type { ContainerPlaces } from './container-places.js'
import { fileNameOf, PrivateDirectory, sharedDirectory } from './private-directory.js'
import { resolveProgram } from './program-file.js'

/** A container engine's command, and what it takes to run it. */
export interface ContainerPlan {
  readonly command: EngineCommand
  readonly launch: Launch
  readonly directory: PrivateDirectory
  /** The bridge's: the directory's own, unless another process is the bridge. */
  readonly places: ContainerPlaces
  /** The unit's cgroup, if the container's is below it. */
  readonly cgroup: string | undefined
  /** What its runtime asks for, and where; `undefined` if its engine takes descriptors along, or there are none. */
  readonly request: DescriptorRequest | undefined
}

/** What a plan depends on, beside the command. */
export interface PlanFacts extends Omit<
  BridgeFacts,
  'notifyDirectory' | 'privateDirectory' | 'containerName' | 'selinux' | 'request'
> {
  /** The unit's own directory. */
  readonly path: string
  /** Those of another process that is the bridge; `undefined` if that is this one. */
  readonly places?: ContainerPlaces | undefined
  /** The environment of all that is started. */
  readonly env: NodeJS.ProcessEnv
  /** How a new container comes by descriptors that its engine does not carry. */
  readonly door: DescriptorDoor | undefined
}

/** Plans the command of a known engine. */
export async function planContainer(
  command: EngineCommand,
  { path, places: others, env, door, ...facts }: PlanFacts,
): Promise<ContainerPlan> {
  const containerName = containerNameOf(facts.unit)
  const prepared = command.verb === 'start' ? await findPrepared(command, env) : undefined
  const lasting = prepared?.notifyDirectory ?? lastingDirectory(command, containerName)
  if (lasting !== undefined) checkLasting(lasting)
  const directory = new PrivateDirectory(path, lasting)
  const places = others ?? directory
  const request =
    prepared === undefined
      ? requestOf(places, facts.fdNames.length, command, door)
      : checkedRequest(places, prepared, facts.fdNames.length)
  const launch = await planLaunch(
    command,
    {
      ...facts,
      notifyDirectory: places.notifyDirectory,
      privateDirectory: directory.path,
      containerName,
      selinux: isSelinuxEnabled(),
      request: door && request && { door, text: formatRequest(request) },
    },
    prepared,
  )
  return { command, launch, directory, places, cgroup: facts.cgroupParent, request }
}

// A container that is created has no sockets yet: they are its unit's at each start.
function requestOf(
  { descriptorSocketPath }: ContainerPlaces,
  count: number,
  { verb }: EngineCommand,
  door: DescriptorDoor | undefined,
): DescriptorRequest | undefined {
  if (door === undefined) return undefined
  const isWanted = verb === 'create' ? door.runtime === undefined : count > 0
  if (!isWanted) return undefined
  return newRequest(descriptorSocketPath)
}

// Its annotation is written by whoever created it.
function checkedRequest(
  { descriptorSocketPath }: ContainerPlaces,
  { hasInit, request }: PreparedContainer,
  count: number,
): DescriptorRequest | undefined {
  if (hasInit && request !== undefined && count > 0) {
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      'the container was created with --init: its payload is not process 1, which LISTEN_PID=1 names, and most programs will not take the sockets: create it anew without',
    )
  }
  if (request === undefined || request.path === descriptorSocketPath) return request
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `the container asks for descriptors at ${request.path}, and its bridge is at ${descriptorSocketPath}: create it anew`,
  )
}

async function findPrepared(
  command: EngineCommand,
  env: NodeJS.ProcessEnv,
): Promise<PreparedContainer> {
  // Of a program that is not there, that is what is to be said.
  resolveProgram(command.file, env)
  return await findPreparedContainer(command, env)
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

// The label of a container is written by whoever made it, and the directory is made by us.
function checkLasting(directory: string): void {
  const base = join(sharedDirectory(), 'containers')
  if (join(directory, '../..') === base && basename(directory) === 'notify') return
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    `the container was created for the directory ${directory}, and this user's are in ${base}: create it anew, as this user`,
  )
}

/** A name that docker, podman and runc all take. */
function containerNameOf(unit: string): string {
  return `sdbridge-${fileNameOf(unit).replaceAll(/[^\w.-]/g, '-')}`
}

function isSelinuxEnabled(): boolean {
  return existsSync('/sys/fs/selinux/enforce')
}
