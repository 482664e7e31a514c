import { runCommand } from '../engines/command-outcome.js'
import { parseProperties } from './systemctl-properties.js'
import type { UnitIdentity } from './unit-identity.js'

/** What the unit file says and no variable tells; each is `undefined` where systemctl gives no answer. */
export interface UnitSettings {
  /** `TimeoutStopSec=`, in seconds; `Infinity` for none. */
  readonly timeoutStopSec: number | undefined
  readonly notifyAccess: string | undefined
  readonly delegate: boolean | undefined
  /** `FileDescriptorStoreMax=`. */
  readonly storeLimit: number | undefined
  /** `LimitNOFILE=`, the soft one. */
  readonly softFileLimit: number | undefined
  readonly ignoresSigpipe: boolean | undefined
  readonly killMode: string | undefined
}

const NOTHING: UnitSettings = {
  timeoutStopSec: undefined,
  notifyAccess: undefined,
  delegate: undefined,
  storeLimit: undefined,
  softFileLimit: undefined,
  ignoresSigpipe: undefined,
  killMode: undefined,
}

const PROPERTIES = [
  'TimeoutStopUSec',
  'NotifyAccess',
  'Delegate',
  'FileDescriptorStoreMax',
  'LimitNOFILESoft',
  'IgnoreSIGPIPE',
  'KillMode',
]

/** Asks the service manager about the unit, for `timeoutMs` at the most. */
export async function readUnitSettings(
  { unit, manager }: UnitIdentity,
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<UnitSettings> {
  if (unit === undefined) return NOTHING
  const args = [
    ...(manager === 'user' ? ['--user'] : []),
    'show',
    ...PROPERTIES.map((property) => `--property=${property}`),
    '--',
    unit,
  ]
  const { code, stdout } = await runCommand({ file: 'systemctl', args }, env, timeoutMs)
  return code === 0 ? parseUnitSettings(stdout) : NOTHING
}

export function parseUnitSettings(text: string): UnitSettings {
  const values = parseProperties(text)
  const flag = (name: string): boolean | undefined => {
    const value = values.get(name)
    return value === undefined ? undefined : value === 'yes'
  }
  const count = (name: string): number | undefined => {
    const value = values.get(name)
    if (value === 'infinity') return Infinity
    return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined
  }
  return {
    timeoutStopSec: parseTimespan(values.get('TimeoutStopUSec') ?? ''),
    notifyAccess: values.get('NotifyAccess'),
    delegate: flag('Delegate'),
    storeLimit: count('FileDescriptorStoreMax'),
    softFileLimit: count('LimitNOFILESoft'),
    ignoresSigpipe: flag('IgnoreSIGPIPE'),
    killMode: values.get('KillMode'),
  }
}

const SECONDS_OF: Record<string, number> = {
  y: 31_557_600,
  month: 2_629_800,
  w: 604_800,
  d: 86_400,
  h: 3600,
  min: 60,
  s: 1,
  ms: 1e-3,
  us: 1e-6,
}

/** A time span as systemctl writes it: `1min 30s`. */
export function parseTimespan(text: string): number | undefined {
  if (text === 'infinity') return Infinity
  const parts = [...text.matchAll(/([\d.]+)([a-z]+)/g)]
  if (parts.length === 0) return undefined
  const seconds = parts.map(
    ([, number, unit]) => Number(number) * (SECONDS_OF[unit!] ?? Number.NaN),
  )
  const sum = seconds.reduce((total, each) => total + each, 0)
  return Number.isNaN(sum) ? undefined : sum
}
