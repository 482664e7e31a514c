import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { ENVIRONMENT, SDBRIDGE } from './unit.js'

/** `sdbridge cleanup` for a unit, as in `ExecStopPost=`. */
export function cleanup(unit: string): SpawnSyncReturns<string> {
  const args = [SDBRIDGE, 'cleanup', '--unit', unit]
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: ENVIRONMENT })
}
