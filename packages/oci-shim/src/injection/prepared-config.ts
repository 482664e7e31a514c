import { isObject, listIn, objectIn } from '../runtime/json-values.js'
import { addToConfig } from '../runtime/edit-config.js'
import { mountInTheWay } from '../runtime/mount-in-the-way.js'
import type { Json, JsonObject } from '../runtime/exact-json.js'
import { nameOfVariable } from '../runtime/variables.js'
import type { UnitNotification } from './unit-notification.js'

/** The annotation of a configuration that has been edited: what was done, so that it can be undone. */
export const PREPARED_ANNOTATION = 'io.sdbridge.prepared'

/** What {@link PREPARED_ANNOTATION} says. */
interface Preparation {
  readonly mount: { readonly source: string; readonly target: string }
  /** The variables that are ours. */
  readonly variables: readonly string[]
  /** Where others stood in their place, and what they said. */
  readonly replaced: readonly (readonly [index: number, text: string])[]
  /** What the configuration did not have at all: `annotations`, `mounts`, `env`. */
  readonly absent: readonly string[]
}

/**
 * A container's configuration with what it needs to notify for a unit. One that has been prepared before is prepared anew.
 *
 * @throws Error if something else is mounted where the socket goes, or below, or there is no process.
 */
export function preparedConfig(
  config: JsonObject,
  { mount, variables }: Omit<UnitNotification, 'unit'>,
): JsonObject {
  const original = unpreparedConfig(config)
  const { annotations, mounts, process } = original
  if (!isObject(process)) throw new Error('it has no process: expected the config.json of a bundle')
  const path = mountInTheWay(original, mount.target)
  if (path !== undefined)
    throw new Error(`something else is mounted at ${path}: choose another --container-directory`)
  const ours = new Set(Object.keys(variables))
  const preparation: Preparation = {
    mount,
    variables: [...ours],
    replaced: [...listIn(process['env']).entries()].filter(
      (each): each is [number, string] =>
        typeof each[1] === 'string' && ours.has(nameOfVariable(each[1])),
    ),
    absent: Object.entries({ annotations, mounts, env: process['env'] }).flatMap(([name, value]) =>
      value === undefined ? [name] : [],
    ),
  }
  return addToConfig(original, {
    mount,
    variables,
    ownVariables: ours,
    annotations: {
      [PREPARED_ANNOTATION]: JSON.stringify(preparation),
    },
    cgroupsPath: undefined,
  })
}

/** The configuration as it was before it was prepared, with all that has been changed since. One that was not comes out as it is. */
export function unpreparedConfig(config: JsonObject): JsonObject {
  const annotations = objectIn(config['annotations'])
  const text = annotations[PREPARED_ANNOTATION]
  if (text === undefined) return config
  const { mount, variables, replaced, absent } = readPreparation(text)
  const isOurs = (each: Json): boolean =>
    isObject(each) && each['destination'] === mount.target && each['source'] === mount.source
  const process = objectIn(config['process'])
  const env = listIn(process['env']).filter((each) => !variables.includes(nameOfVariable(each)))
  for (const [index, each] of replaced) env.splice(index, 0, each)
  const { [PREPARED_ANNOTATION]: _, ...others } = annotations
  const mounts = listIn(config['mounts']).filter((each) => !isOurs(each))
  return {
    ...config,
    process: { ...process, env: unlessAbsent(env, absent, 'env') },
    mounts: unlessAbsent(mounts, absent, 'mounts'),
    annotations:
      absent.includes('annotations') && Object.keys(others).length === 0 ? undefined : others,
  }
}

function unlessAbsent(
  list: readonly Json[],
  absent: readonly string[],
  name: string,
): readonly Json[] | undefined {
  return absent.includes(name) && list.length === 0 ? undefined : list
}

function readPreparation(text: Json): Preparation {
  try {
    const value = JSON.parse(text as string) as Partial<Preparation>
    const { mount, variables, replaced, absent } = value
    const lists = [variables, replaced, absent]
    if (typeof mount?.target === 'string' && lists.every((list) => Array.isArray(list)))
      return value as Preparation
  } catch {
    // Said below.
  }
  throw new Error(
    `annotation ${PREPARED_ANNOTATION}: expected what sdbridge prepare has written, found ${JSON.stringify(text)}`,
  )
}
