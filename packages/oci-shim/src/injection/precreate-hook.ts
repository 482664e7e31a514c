import { statSync } from 'node:fs'
import { UNIT_LABEL } from '../engines/labels.js'
import { BridgeError } from '../run/bridge-error.js'
import { addToConfig } from '../runtime/edit-config.js'
import { parseExactJson } from '../runtime/exact-json.js'
import { isObject, objectIn } from '../runtime/json-values.js'
import { type UnitNotification, unitNotification } from './unit-notification.js'

/**
 * A container's configuration as podman's precreate hook is to leave it: with the socket of the unit that its annotation `io.sdbridge.unit` names. Any
 * other comes out as it went in.
 *
 * @throws BridgeError if the unit is none whose bridge is at work; SyntaxError.
 */
export async function editedByHook(text: string, containerDirectory: string): Promise<string> {
  if (!text.includes(UNIT_LABEL)) return text
  const json = parseExactJson(text)
  const config = isObject(json.value) ? json.value : {}
  const unit = objectIn(config['annotations'])[UNIT_LABEL]
  if (unit === undefined) return text
  if (typeof unit !== 'string' || !/^[\w:.\\@-]{1,255}$/.test(unit))
    throw failed(
      `annotation ${UNIT_LABEL}: expected a unit's name such as web, found ${JSON.stringify(unit)}`,
    )
  const { mount, variables } = await servedUnit(unit, containerDirectory)
  // Our mount is the last, and so lies on the one that podman makes for --sdnotify=container.
  const edited = addToConfig(config, {
    mount,
    variables,
    ownVariables: new Set(Object.keys(variables)),
    annotations: {},
    cgroupsPath: undefined,
  })
  return json.stringify(edited)
}

async function servedUnit(name: string, containerDirectory: string): Promise<UnitNotification> {
  const notification = await unitNotification(name, containerDirectory)
  const { unit, mount } = notification
  if (statSync(mount.source, { throwIfNoEntry: false })?.isDirectory() === true) return notification
  throw failed(
    `nobody serves ${unit}: expected the directory ${mount.source}, which sdbridge run makes: start the container from that unit`,
  )
}

function failed(message: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_FAILED', message)
}
