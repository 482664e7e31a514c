import { controlSocketOf } from '../daemon/places.js'
import { followDaemon } from './call-daemon.js'
import type { ContainerEvent } from './control-message.js'

/** `sdbridge events`. @throws Error if the daemon does not answer. */
export async function printEvents(asJson: boolean): Promise<void> {
  await followDaemon(controlSocketOf(), (said) => {
    const event = said as unknown as ContainerEvent
    process.stdout.write(`${asJson ? JSON.stringify(event) : lineOf(event)}\n`)
  })
}

function lineOf({ event, name, text, time, unit }: ContainerEvent): string {
  const words = [new Date(time).toISOString(), event, name, unit, text]
  return words.filter((word) => word !== undefined).join(' ')
}
