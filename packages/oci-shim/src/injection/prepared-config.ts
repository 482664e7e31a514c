import { isDeepStrictEqual } from 'node:util'
import { isObject, listIn, objectIn } from '../runtime/json-values.js'
import { addToConfig } from '../runtime/edit-config.js'
import { mountInTheWay } from '../runtime/mount-in-the-way.js'
import type { Json, JsonObject } from '../runtime/exact-json.js'
import { nameOfVariable } from '../runtime/variables.js'
import type { ConfiguredHook } from './lifecycle-hooks.js'
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
  /** What the configuration did not have at all: `annotations`, `mounts`, `env`, `hooks`, `poststop`. */
  readonly absent: readonly string[]
  /** What was added for the daemon. */
  readonly daemon?: DaemonEdit
}

/** What a container has that the daemon bridges, beside what others have. */
export interface DaemonEdit {
  /** By their stages; each is called after those that are there. */
  readonly hooks: Readonly<Record<string, ConfiguredHook>>
  readonly annotations: Readonly<Record<string, string>>
  /** What others said in annotations of these names. */
  readonly replaced?: Readonly<Record<string, Json>>
}

/**
 * A container's configuration with what it needs to notify for a unit. One that has been prepared before is prepared anew.
 *
 * @throws Error if something else is mounted where the socket goes, or below, or there is no process.
 */
export function preparedConfig(
  config: JsonObject,
  { mount, variables }: Omit<UnitNotification, 'unit'>,
  daemon?: Omit<DaemonEdit, 'replaced'>,
): JsonObject {
  const original = unpreparedConfig(config)
  const { annotations, hooks, mounts, process } = original
  if (!isObject(process)) throw new Error('it has no process: expected the config.json of a bundle')
  if (daemon !== undefined) checkHooks(hooks, daemon)
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
    absent: namesOfAbsent({
      ...{ annotations, mounts, env: process['env'] },
      ...(daemon && { hooks, ...listsOf(daemon, objectIn(hooks)) }),
    }),
    ...(daemon && {
      daemon: { ...daemon, replaced: withNames(objectIn(annotations), daemon.annotations) },
    }),
  }
  const edited = addToConfig(original, {
    mount,
    variables,
    ownVariables: ours,
    annotations: {
      ...daemon?.annotations,
      [PREPARED_ANNOTATION]: JSON.stringify(preparation),
    },
    cgroupsPath: undefined,
  })
  return daemon === undefined ? edited : { ...edited, hooks: withHooks(objectIn(hooks), daemon) }
}

// A runtime refuses these too; added to, they would be lost.
function checkHooks(hooks: Json | undefined, { hooks: ours }: DaemonEdit): void {
  if (hooks !== undefined && !isObject(hooks)) throw new Error('hooks: expected an object')
  for (const stage of Object.keys(ours)) {
    const list = hooks?.[stage]
    if (list !== undefined && !Array.isArray(list))
      throw new Error(`hooks.${stage}: expected a list`)
  }
}

function namesOfAbsent(values: JsonObject): string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [name] : []))
}

function listsOf({ hooks: ours }: DaemonEdit, hooks: JsonObject): JsonObject {
  return Object.fromEntries(Object.keys(ours).map((stage) => [stage, hooks[stage]]))
}

/** Of what others have, what has one of these names. */
function withNames(theirs: JsonObject, names: object): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(theirs).flatMap(([name, value]) =>
      value !== undefined && Object.hasOwn(names, name) ? [[name, value]] : [],
    ),
  )
}

function withHooks(hooks: JsonObject, { hooks: ours }: DaemonEdit): JsonObject {
  const lists = Object.entries(ours).map(([stage, hook]): [string, Json] => [
    stage,
    [...listIn(hooks[stage]), hook],
  ])
  return { ...hooks, ...Object.fromEntries(lists) }
}

/** The configuration as it was before it was prepared, with all that has been changed since. One that was not comes out as it is. */
export function unpreparedConfig(config: JsonObject): JsonObject {
  const annotations = objectIn(config['annotations'])
  const text = annotations[PREPARED_ANNOTATION]
  if (text === undefined) return config
  const { mount, variables, replaced, absent, daemon } = readPreparation(text)
  const isOurs = (each: Json): boolean =>
    isObject(each) && each['destination'] === mount.target && each['source'] === mount.source
  const process = objectIn(config['process'])
  const env = listIn(process['env']).filter((each) => !variables.includes(nameOfVariable(each)))
  for (const [index, each] of replaced) env.splice(index, 0, each)
  const others = withoutAnnotations(annotations, daemon)
  const mounts = listIn(config['mounts']).filter((each) => !isOurs(each))
  return {
    ...config,
    process: { ...process, env: unlessAbsent(env, absent, 'env') },
    mounts: unlessAbsent(mounts, absent, 'mounts'),
    annotations:
      absent.includes('annotations') && Object.keys(others).length === 0 ? undefined : others,
    ...(daemon && { hooks: withoutHooks(objectIn(config['hooks']), daemon, absent) }),
  }
}

function withoutAnnotations(annotations: JsonObject, daemon: DaemonEdit | undefined): JsonObject {
  const { annotations: ours = {}, replaced = {} } = daemon ?? {}
  const kept = Object.entries(annotations).flatMap(([name, value]) => {
    if (name === PREPARED_ANNOTATION) return []
    // What somebody has changed since is theirs.
    if (!Object.hasOwn(ours, name) || ours[name] !== value) return [[name, value]]
    return Object.hasOwn(replaced, name) ? [[name, replaced[name]]] : []
  })
  return Object.fromEntries(kept) as JsonObject
}

function withoutHooks(
  hooks: JsonObject,
  { hooks: ours }: DaemonEdit,
  absent: readonly string[],
): JsonObject | undefined {
  const lists = Object.entries(ours).map(([stage, hook]) => {
    const list = listIn(hooks[stage]).filter((each) => !isDeepStrictEqual(each, hook))
    return [stage, unlessAbsent(list, absent, stage)] as const
  })
  const rest = { ...hooks, ...Object.fromEntries(lists) }
  const isEmpty = Object.values(rest).every((each) => each === undefined)
  return absent.includes('hooks') && isEmpty ? undefined : rest
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
