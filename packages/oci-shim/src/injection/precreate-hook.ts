import { statSync } from 'node:fs'
import { DAEMON_ANNOTATION, UNIT_LABEL } from '../engines/labels.js'
import { BridgeError } from '../run/bridge-error.js'
import { addToConfig } from '../runtime/edit-config.js'
import { parseExactJson } from '../runtime/exact-json.js'
import { isObject, objectIn } from '../runtime/json-values.js'
import { annotatedUnit } from './annotated-unit.js'
import { daemonNotification, makeMountSource } from './daemon-notification.js'
import { type UnitNotification, unitNotification } from './unit-notification.js'

/**
 * A container's configuration as podman's precreate hook is to leave it: with the socket of the unit that its annotation `io.sdbridge.unit` names, or with
 * one that the daemon is to serve for the unit that `io.sdbridge.daemon` names. Any other comes out as it went in.
 *
 * @throws BridgeError if the unit is none whose bridge is at work, or is none; SyntaxError.
 */
export async function editedByHook(text: string, containerDirectory: string): Promise<string> {
  if (!text.includes(UNIT_LABEL) && !text.includes(DAEMON_ANNOTATION)) return text
  const json = parseExactJson(text)
  const config = isObject(json.value) ? json.value : {}
  const annotations = objectIn(config['annotations'])
  const unit = annotatedUnit(annotations, UNIT_LABEL)
  const daemonUnit = annotatedUnit(annotations, DAEMON_ANNOTATION)
  if (unit !== undefined && daemonUnit !== undefined)
    throw failed(
      `expected one of the annotations ${UNIT_LABEL} and ${DAEMON_ANNOTATION}, found both`,
    )
  const notification =
    unit !== undefined
      ? await servedUnit(unit, containerDirectory)
      : daemonUnit !== undefined && (await bridgedUnit(daemonUnit, containerDirectory))
  if (notification === false) return text
  const { mount, variables } = notification
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

async function bridgedUnit(
  unit: string,
  containerDirectory: string,
): Promise<Omit<UnitNotification, 'unit'>> {
  const notification = await daemonNotification({ unit, name: undefined }, containerDirectory)
  makeMountSource(notification)
  return notification
}

function failed(message: string): BridgeError {
  return new BridgeError('ERR_BRIDGE_FAILED', message)
}
