import { posix } from 'node:path'
import type { EngineCommand } from './engine-command.js'
import { parseCsvFields } from './csv-fields.js'

/** A mount that a command line asks for. */
export interface MountTarget {
  /** Where it goes, without a trailing slash. */
  readonly path: string
  /** Whether it starts empty and in memory. */
  readonly isTmpfs: boolean
  /** The option's value, to be named in a message. */
  readonly text: string
}

/** All that a command line mounts: `--volume`, `--mount`, `--tmpfs`. */
export function mountTargets(command: EngineCommand): readonly MountTarget[] {
  return command.options.flatMap(({ name, value }) => {
    const path = value === undefined ? undefined : targetOf(name, value)
    if (value === undefined || path === undefined || !path.startsWith('/')) return []
    const isTmpfs = name === 'tmpfs' || (name === 'mount' && /(?:^|,)type=tmpfs(?:,|$)/.test(value))
    return [{ path: withoutSlash(posix.normalize(path)), isTmpfs, text: `--${name} ${value}` }]
  })
}

function targetOf(option: string, value: string): string | undefined {
  if (option === 'tmpfs') return value.split(':')[0]
  if (option === 'volume') {
    const [source, target] = value.split(':')
    // An anonymous volume has no source.
    return target ?? source
  }
  if (option !== 'mount') return undefined
  const field = parseCsvFields(value).find((each) => /^(?:target|destination|dst)=/.test(each))
  return field?.slice(field.indexOf('=') + 1)
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/$/, '') : path
}
