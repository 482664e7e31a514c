import type { Command } from '../engines/launch.js'
import type { ContainerPlaces } from './container-places.js'

/** Puts the bridge's paths into the arguments of a command that is no known engine: `{notify-directory}`, `{notify-socket}`. */
export function fillPlaceholders(
  [file = '', ...args]: readonly string[],
  { notifyDirectory, socketPath }: ContainerPlaces,
): Command {
  const filled = args.map((arg) =>
    arg
      .replaceAll('{notify-directory}', () => notifyDirectory)
      .replaceAll('{notify-socket}', () => socketPath),
  )
  return { file, args: filled }
}
