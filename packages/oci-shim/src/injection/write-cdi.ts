import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { readTextFile } from '../install/file-change.js'
import { printChanges } from '../install/print-changes.js'
import { cdiDevice } from './cdi-spec.js'
import { unitNotification } from './unit-notification.js'

export interface CdiOptions {
  /** `web.service`, or `web`. */
  readonly unit: string
  readonly containerDirectory: string
  /** The file to write; `undefined` for the one of the unit among those that engines read. */
  readonly output: string | undefined
  /** Prints it, and writes nothing. */
  readonly print: boolean
}

/** `sdbridge cdi`. @throws BridgeError */
export async function writeCdi({
  unit,
  containerDirectory,
  output,
  print,
}: CdiOptions): Promise<void> {
  const { device, fileName, text } = cdiDevice(await unitNotification(unit, containerDirectory))
  if (print) {
    writeSync(1, text)
    return
  }
  const file = output ?? join(DIRECTORY, fileName)
  printChanges([{ file, before: readTextFile(file), after: text }], false)
  writeSync(1, `docker run --device ${device}, podman run --sdnotify=ignore --device ${device}\n`)
}

/** Of those that engines read, the one that goes with a boot, as the unit's directory does. */
const DIRECTORY = '/var/run/cdi'
