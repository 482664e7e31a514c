import type { Json, JsonObject } from '../runtime/exact-json.js'
import { isObject, listIn, objectIn } from '../runtime/json-values.js'
import { mountsOf } from '../runtime/systemd-config.js'
import type { EngineCommand } from './engine-command.js'
import { refusedOption } from './refused-option.js'
import { usesSystemdCgroups } from './systemd-cgroups.js'

/** @throws EngineError where the configuration of a bundle goes against what systemd needs as the first process. */
export function refuseForSystemd(command: EngineCommand, config: JsonObject): void {
  for (const { found, advice } of contradictions(command, config))
    throw refusedOption(command, `config.json ${found}`, advice)
}

function* contradictions(
  command: EngineCommand,
  config: JsonObject,
): Generator<{ found: string; advice: string }> {
  const linux = objectIn(config['linux'])
  const namespaces = listIn(linux['namespaces']).filter((each) => isObject(each))
  const namespace = (type: string): JsonObject | undefined =>
    namespaces.find((each) => each['type'] === type)
  const pid = namespace('pid')
  if (pid === undefined || isElsewhere(pid))
    yield {
      found: `has ${pid === undefined ? 'no pid namespace' : 'the pid namespace of another process'}`,
      advice: 'systemd has to be process 1: give it a new one',
    }
  if (isElsewhere(namespace('cgroup')))
    yield {
      found: 'has the cgroup namespace of another process',
      advice: 'systemd would take cgroups for its own that are not: leave its path out',
    }
  const uid = objectIn(objectIn(config['process'])['user'])['uid'] ?? 0
  if (uid !== 0)
    yield {
      found: `starts as user ${shown(uid)}`,
      advice: 'systemd starts as root, and its units run as User= says: set process.user.uid to 0',
    }
  yield* contradictingMounts(config)
  const root = listIn(linux['uidMappings']).find(
    (each) => isObject(each) && each['containerID'] === 0,
  )
  const owner = isObject(root) ? root['hostID'] : 0
  // Seen with runc 1.3; crun 1.28 gives the cgroup to the container's root.
  if (command.engine === 'runc' && owner !== 0 && !usesSystemdCgroups(command))
    yield {
      found: `maps the container's root to ${shown(owner)}`,
      advice: 'runc does not give it the cgroup, in which systemd makes others: use crun',
    }
}

function* contradictingMounts(config: JsonObject): Generator<{ found: string; advice: string }> {
  for (const { path, mount } of mountsOf(config)) {
    const type = shown(mount['type'] ?? 'none')
    if (path === '/sys/fs/cgroup' && !/^cgroup2?$/.test(type))
      yield {
        found: `mounts ${path} with the type ${type}`,
        advice: 'the container has a cgroup of its own there: leave it out',
      }
    if (path === '/run' && type !== 'tmpfs')
      yield {
        found: `mounts ${path} with the type ${type}`,
        advice:
          'systemd expects an empty /run in memory: mount on a directory below it, or elsewhere',
      }
  }
}

function shown(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function isElsewhere(namespace: JsonObject | undefined): boolean {
  return (namespace?.['path'] ?? '') !== ''
}
