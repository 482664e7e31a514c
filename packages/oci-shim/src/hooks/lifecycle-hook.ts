import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { callDaemon } from '../control/call-daemon.js'
import { controlSocketOf, notifyDirectoryOf, type Places } from '../daemon/places.js'
import { DAEMON_ANNOTATION } from '../engines/labels.js'
import { annotatedUnit } from '../injection/annotated-unit.js'
import type { JsonObject } from '../runtime/exact-json.js'
import { isObject } from '../runtime/json-values.js'
import type { ContainerState } from './container-state.js'
import { engineOf } from './engine-of.js'
import { notifyNameIn } from './notify-name.js'
import { hasOwnRelay } from './own-relay.js'

/** The hooks of the OCI's runtime specification by which the daemon hears of a container. */
export type LifecycleStage = 'createRuntime' | 'poststop'

/**
 * Has the daemon bridge a container that is about to start. Does nothing for a container that has no directory of the daemon's mounted.
 *
 * @throws Error that says what was expected, what was found and what to do.
 */
export async function registerContainer(state: ContainerState, places: Places): Promise<void> {
  const { annotations, id, pid } = state
  const name = nameOf(state, places)
  const unit = annotatedUnit(annotations, DAEMON_ANNOTATION)
  if (name === undefined) {
    if (unit !== undefined) throw withoutMount(unit, places)
    return
  }
  if (hasOwnRelay())
    throw new Error(
      'the runtime was started with NOTIFY_SOCKET, and would have the container notify a socket of its own: expected none, as by UnsetEnvironment=NOTIFY_SOCKET in the unit',
    )
  await callDaemon(controlSocketOf(places), {
    command: 'register',
    name,
    container: { id, engine: engineOf(state), ...(pid !== undefined && { pid }) },
    ...(unit !== undefined && { annotatedUnit: unit }),
  })
}

/**
 * Tells the daemon that a container has ended. Does nothing for one that has no directory of the daemon's mounted.
 *
 * @throws Error as {@link registerContainer}.
 */
export async function unregisterContainer(state: ContainerState, places: Places): Promise<void> {
  const name = nameOf(state, places)
  if (name !== undefined)
    await callDaemon(controlSocketOf(places), { command: 'unregister', name, id: state.id })
}

function nameOf(state: ContainerState, places: Places): string | undefined {
  let config: JsonObject
  try {
    config = readConfig(state)
  } catch (error) {
    // It may be anybody's: crun takes another file, and somebody may have removed the bundle before the container.
    if (state.annotations[DAEMON_ANNOTATION] === undefined) return undefined
    throw error
  }
  return notifyNameIn(config, places.notifyBase)
}

function readConfig({ bundle }: ContainerState): JsonObject {
  const file = join(bundle, 'config.json')
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (isObject(value)) return value
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  throw new Error(`${file}: expected a container's configuration, found something else`)
}

function withoutMount(unit: string, places: Places): Error {
  const directory = notifyDirectoryOf('NAME', places)
  return new Error(
    `the container has the annotation ${DAEMON_ANNOTATION}=${unit}, and no socket: expected a directory ${directory} among its mounts, found none. ` +
      `For a bundle: sdbridge prepare --daemon; for podman: sdbridge hook install, with its precreate hook; for CRI-O: a hostPath volume with that ` +
      `directory at /run/notify, and NOTIFY_SOCKET=/run/notify/notify.sock in the pod's env`,
  )
}
