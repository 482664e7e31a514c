import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const CLEANUP = fileURLToPath(new URL('cleanup.mjs', import.meta.url))

/** `sdbridge cleanup` for a unit, as in `ExecStopPost=`. */
export function cleanup(unit: string): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [CLEANUP], {
    encoding: 'utf8',
    env: { ...process.env, TEST_UNIT: unit },
  })
}
