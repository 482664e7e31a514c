import { showUnit } from '../run/show-unit.js'
import { parseProperties } from '../run/systemctl-properties.js'

/** What the service manager says of a unit that is to be spoken for. */
export interface UnitFacts {
  /** By its own name, where an alias was given. */
  readonly unit: string
  readonly mainPid: number
  readonly invocation: string
  readonly cgroup: string
  readonly hasStore: boolean
}

const PROPERTIES = [
  'Id',
  'LoadState',
  'ActiveState',
  'MainPID',
  'InvocationID',
  'ControlGroup',
  'NotifyAccess',
  'FileDescriptorStoreMax',
]
const LIVING = new Set(['activating', 'active', 'reloading', 'refreshing'])

/**
 * Asks the service manager about a unit that is at work.
 *
 * @throws Error that says what was expected, what was found and what to do.
 */
export async function readUnitFacts(name: string, env: NodeJS.ProcessEnv): Promise<UnitFacts> {
  const values = parseProperties(await showUnit(name, PROPERTIES, env))
  const value = (property: string): string => values.get(property) ?? ''
  if (value('LoadState') !== 'loaded')
    throw new Error(`there is no unit ${name} (${value('LoadState')})`)
  if (!LIVING.has(value('ActiveState')))
    throw new Error(
      `${name} is ${value('ActiveState')}: expected a unit that is active, or being started`,
    )
  const mainPid = Number(value('MainPID'))
  if (!(mainPid > 0))
    throw new Error(
      `${name} has no main process, in whose name its containers could speak: set Type=notify, and keep the one of ExecStart= alive for as long as the container`,
    )
  if (value('NotifyAccess') === 'none')
    throw new Error(`${name} has NotifyAccess=none: set Type=notify or NotifyAccess=main`)
  return {
    unit: value('Id'),
    mainPid,
    invocation: value('InvocationID'),
    cgroup: value('ControlGroup'),
    hasStore: Number(value('FileDescriptorStoreMax')) > 0,
  }
}
