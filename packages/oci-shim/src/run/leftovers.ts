import { setTimeout as delay } from 'node:timers/promises'
import { type EngineCommand, isSwitchedOn } from '../engines/engine-command.js'
import type { Command, Launch } from '../engines/launch.js'
import { BridgeError } from './bridge-error.js'
import { runCommand } from '../engines/command-outcome.js'
import { removeMountpoints } from '../runtime/mountpoints.js'
import { readInspected } from './inspected-container.js'
import { tell } from './operator-log.js'
import { isNone } from './own-container.js'
import type { PrivateDirectory } from './private-directory.js'
import { isServedBundle, isServedContainer } from './served-container.js'
import { readState } from './state-file.js'

const ANSWER_MS = 20_000
/** Between two attempts. */
const PAUSE_MS = 500

/**
 * Removes the container that a bridge of this unit has noted, and left behind when it was killed.
 *
 * @throws BridgeError if the engine cannot do that: the note stays, for the next attempt.
 */
export async function removeNotedContainer(
  directory: PrivateDirectory,
  ownEnv: NodeJS.ProcessEnv,
): Promise<void> {
  if (!directory.isOurs()) return
  const state = readState(directory.path)
  const container = state?.container
  const env = { ...ownEnv, ...state?.environment }
  if (container === undefined) return
  let isThere = true
  // The one that was noted may have gone, and its name to somebody else.
  if (container.inspect !== undefined) {
    const { code, stdout, reason } = await runCommand(container.inspect, env, ANSWER_MS)
    if (code === undefined) throw unanswered(container.inspect, reason)
    if (code === 0 && readInspected(stdout).unit !== state?.unit) {
      tell(`the container ${container.name} does not belong to ${state?.unit} any more, and stays`)
      return
    }
    isThere = code === 0
  }
  // A start of the unit may have come in between.
  directory.checkIsFree()
  // What a runtime was making when it was killed is not there to ask for.
  await (isThere ? removeFound : remove)(container.name, container.remove, env)
  await removeMountpoints(state?.mountpoints ?? [])
}

/**
 * Removes what the engine has of this unit, by its label, under whatever name.
 *
 * @throws BridgeError where the name is taken by a container that is not this unit's, and where the engine does not answer.
 */
export async function removeLeftovers(
  command: EngineCommand,
  { container }: Launch,
  unit: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const { file, globals, verb, engine } = command
  // What is to be started has been there before.
  if (verb === 'start') return
  const isRuntime = engine === 'runc' || engine === 'crun'
  const [listing, namesake] = await Promise.all([
    container.list === undefined ? undefined : runCommand(container.list, env, ANSWER_MS),
    runCommand(container.inspect, env, ANSWER_MS),
  ])
  if (listing !== undefined && listing.code !== 0) throw unanswered(command, listing.reason)
  // Of one that is busy, an engine may say nothing for a time. Its name is taken all the same.
  if (namesake.code === undefined) throw unanswered(command, namesake.reason)
  const isTaken = namesake.code === 0
  const { unit: owner, bundle } = readInspected(namesake.stdout)
  const isOurs = isTaken && owner === unit
  if (isTaken && !isOurs && !isSwitchedOn(command, 'replace')) {
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `there is a container ${container.name} already, which does not belong to ${unit}: remove it, or give this one another name`,
    )
  }
  const ids = listing?.stdout.split('\n').filter((line) => line !== '') ?? []
  for (const id of ids) {
    if (await isServedContainer(command, id, env)) throw served(id, unit)
    await removeFound(id, { file, args: [...globals, 'rm', '--force', id] }, env)
  }
  if (!isOurs || !isRuntime) return
  if (isServedBundle(bundle)) throw served(container.name, unit)
  await removeFound(container.name, container.remove, env)
}

async function removeFound(name: string, command: Command, env: NodeJS.ProcessEnv): Promise<void> {
  tell(`removing the container ${name.slice(0, 64)}, which this unit has left behind`)
  await remove(name, command, env)
}

async function remove(name: string, command: Command, env: NodeJS.ProcessEnv): Promise<void> {
  for (const end = performance.now() + ANSWER_MS; ; await delay(PAUSE_MS)) {
    const { code, reason } = await runCommand(command, env, ANSWER_MS)
    if (code === 0 || isNone(reason)) return
    // dockerd goes on with what a client has asked for that was killed, and takes its time where containerd does not answer.
    if (/already in progress/.test(reason) && performance.now() < end) continue
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `cannot remove the container ${name} that was left behind: ${reason}`,
    )
  }
}

/** A container that has a bridge is not left behind, wherever that bridge has its directory. */
export function served(id: string, unit: string): BridgeError {
  return new BridgeError(
    'ERR_BRIDGE_FAILED',
    `another sdbridge serves the container ${id.slice(0, 64)} of ${unit}: there can be one in a unit; stop the unit, or end that process`,
  )
}

function unanswered({ file }: Pick<Command, 'file'>, reason: string): BridgeError {
  return new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${file} does not answer: ${reason}; its service must run, and this user may talk to it`,
  )
}
