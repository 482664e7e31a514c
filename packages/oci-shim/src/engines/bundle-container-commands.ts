import type { EngineCommand } from './engine-command.js'
import type { Command, ContainerCommands } from './launch.js'

/** What runc and crun do with a container, asked with the same options of their own as the launch. */
export function bundleContainerCommands(
  { file, globals }: EngineCommand,
  { id, stopSignal, pidFile }: { id: string; stopSignal: number; pidFile: string | undefined },
): ContainerCommands {
  const command = (...args: string[]): Command => ({ file, args: [...globals, ...args] })
  return {
    name: id,
    idFile: undefined,
    pidFile,
    stop: () => [command('kill', id, String(stopSignal)), command('kill', id, '9')],
    pid: command('state', id),
    wait: undefined,
    logs: undefined,
    remove: command('delete', '--force', id),
    list: undefined,
  }
}
