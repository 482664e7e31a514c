import { existsSync, statSync } from 'node:fs'
import { startState } from '@sdbridge/syscalls'
import { baseDirectory } from '../run/private-directory.js'
import { type Diagnosis, fault } from './diagnosis.js'
import { checkSelinux } from './selinux-checks.js'

/** What is looked at; for tests, other places. */
export interface HostPlaces {
  /** There where systemd is process 1: sd_booted(3). */
  readonly booted?: string
  /** Where private directories are. */
  readonly base?: string
  readonly enforce?: string
  readonly auditLog?: string
  /** Loads the addon; fails where it cannot be loaded. */
  readonly loadAddon?: () => unknown
}

/** Judges this host. */
export function checkHost({
  booted = '/run/systemd/system',
  base = baseDirectory(undefined),
  enforce,
  auditLog,
  loadAddon = startState,
}: HostPlaces = {}): Diagnosis[] {
  return [
    ...checkBooted(booted),
    ...checkAddon(loadAddon),
    ...checkBase(base),
    ...checkSelinux({ enforce, auditLog }),
  ]
}

function checkBooted(path: string): Diagnosis[] {
  if (existsSync(path)) return []
  return [
    fault(
      'no-systemd',
      `this host was not started by systemd (${path} is not there)`,
      'run it where the units are; for development there is sdrun of @sdbridge/manager',
    ),
  ]
}

function checkAddon(load: () => unknown): Diagnosis[] {
  try {
    load()
    return []
  } catch (error) {
    const message = (error as Error).message.split('\n')[0] ?? ''
    return [
      fault(
        'addon',
        `the native part of @sdbridge/syscalls cannot be loaded by ${process.execPath}: ${message}`,
        'install @sdbridge/oci-shim anew, with the npm of this node, on Linux x64 or arm64',
      ),
    ]
  }
}

function checkBase(path: string): Diagnosis[] {
  const found = statSync(path, { throwIfNoEntry: false })
  const isOurs = found === undefined || (found.isDirectory() && found.uid === process.getuid!())
  if (isOurs && ((found?.mode ?? 0) & 0o022) === 0) return []
  return [
    fault(
      'private-directory',
      `${path} is ${isOurs ? 'open for others to write' : 'somebody else’s'}: no bridge would make its directory there`,
      `look who made it, and remove it: a bridge makes it anew`,
    ),
  ]
}
