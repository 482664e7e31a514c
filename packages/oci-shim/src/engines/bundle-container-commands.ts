import type { EngineCommand } from './engine-command.js'
import type { Command, ContainerCommands } from './launch.js'

export interface BundleContainer {
  id: string
  stopSignal: number
  pidFile: string | undefined
  /** `undefined` for one that was there before its unit. */
  bundle: string | undefined
}

/** What runc and crun do with a container, asked with the same options of their own as the launch. */
export function bundleContainerCommands(
  engineCommand: EngineCommand,
  container: BundleContainer,
): ContainerCommands {
  const { file, globals } = engineCommand
  const { id, stopSignal, pidFile, bundle } = container
  const command = (...args: string[]): Command => ({ file, args: [...globals, ...args] })
  return {
    name: id,
    idFile: undefined,
    bundle,
    of: (name) => bundleContainerCommands(engineCommand, { ...container, id: name }),
    pidFile,
    stop: () => [command('kill', id, String(stopSignal)), command('kill', id, '9')],
    inspect: command('state', id),
    pid: command('state', id),
    wait: undefined,
    logs: undefined,
    remove: command('delete', '--force', id),
    list: undefined,
  }
}
