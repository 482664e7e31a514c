import { controlSocketOf } from '../daemon/places.js'
import { callDaemon } from './call-daemon.js'
import type { ContainerStatus } from './control-message.js'
import { formatContainers } from './format-containers.js'

/** `sdbridge ps`. @throws Error if the daemon does not answer. */
export async function printContainers(asJson: boolean): Promise<void> {
  const { containers } = await callDaemon(controlSocketOf(), { command: 'list' })
  const list = containers as readonly ContainerStatus[]
  const lines = asJson
    ? list.map((each) => JSON.stringify(each))
    : formatContainers(list, Date.now())
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}
