import { type Signal, signalNumber } from '@sdbridge/syscalls'
import type { EngineCommand } from '../engines/engine-command.js'
import type { Command } from '../engines/launch.js'

/** Sends a signal to the container's first process. By its number: engines differ in the names that they know. */
export function killCommand(
  { engine, file, globals }: EngineCommand,
  name: string,
  signal: Signal,
): Command {
  const number = String(signalNumber(signal))
  const isRuntime = engine === 'runc' || engine === 'crun'
  const args = isRuntime ? ['kill', name, number] : ['kill', '--signal', number, name]
  return { file, args: [...globals, ...args] }
}
