import { readFileSync, writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import type { Observation } from './observation.js'
import type { Versions } from './versions.js'

/** All that was seen: by rival, by scenario. */
export interface Seen {
  versions: Versions
  rivals: Record<string, Record<string, Observation>>
}

const FILE = new URL('seen.json', import.meta.url)

/** What was seen when `pnpm comparison` was run last. */
export function readSeen(): Seen {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Seen
}

export async function writeSeen(seen: Seen): Promise<void> {
  const config = await resolveConfig(FILE)
  writeFileSync(FILE, await format(JSON.stringify(seen), { ...config, parser: 'json' }))
}
