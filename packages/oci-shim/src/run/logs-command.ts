import type { EngineCommand } from '../engines/engine-command.js'
import type { Command } from '../engines/launch.js'

/**
 * Follows what a container writes, from a moment on; `undefined` where it writes to the unit's own descriptors.
 *
 * @param sec Since 1970.
 */
export function logsCommand(
  { engine, file, globals }: EngineCommand,
  name: string,
  sec: number,
): Command | undefined {
  if (engine === 'runc' || engine === 'crun') return undefined
  const args = [...globals, 'logs', '--follow', '--since', sec.toFixed(6), name]
  return { file, args }
}
