import type { Command, ContainerCommands } from './launch.js'
import { UNIT_LABEL } from './labels.js'
import type { ImageEngineCommand } from './plan-image-launch.js'

export interface ImageContainer {
  name: string
  idFile: string | undefined
  unit: string
  /** Whether what it writes has to be fetched. */
  detached: boolean
  /** Whether it was to go when it ends, and its anonymous volumes with it. */
  removesItself: boolean
}

/** What docker, nerdctl and podman do with a container, asked with the same options of their own as the launch. */
export function imageContainerCommands(
  engineCommand: ImageEngineCommand,
  container: ImageContainer,
): ContainerCommands {
  const { engine, file, globals, verb } = engineCommand
  const { name, idFile, unit, detached, removesItself } = container
  const command = (...args: string[]): Command => ({ file, args: [...globals, ...args] })
  // Of a container that is started again, the engine also has what it wrote before.
  const since = verb === 'start' ? ['--since', String(Date.now() / 1000)] : []
  const volumes = removesItself ? ['--volumes'] : []
  // Of podman and docker, each has its own way not to mind that there is none.
  const ignore = engine === 'podman' ? ['--ignore'] : []
  return {
    name,
    idFile,
    bundle: undefined,
    of: (other) => imageContainerCommands(engineCommand, { ...container, name: other }),
    pidFile: undefined,
    stop: (seconds) => [
      command('stop', '-t', String(Math.max(0, Math.floor(seconds))), name),
      command('kill', '--signal', 'KILL', name),
    ],
    inspect: command('container', 'inspect', name),
    pid: command('container', 'inspect', '--format', '{{.State.Pid}}', name),
    wait: command('wait', name),
    logs: detached ? command('logs', '--follow', ...since, name) : undefined,
    remove: command('rm', '--force', ...volumes, ...ignore, name),
    list: command(
      'ps',
      '--all',
      '--quiet',
      '--no-trunc',
      '--filter',
      `label=${UNIT_LABEL}=${unit}`,
    ),
  }
}
