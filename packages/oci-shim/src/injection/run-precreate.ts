import { writeSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { BridgeError } from '../run/bridge-error.js'
import { editedByHook } from './precreate-hook.js'
import { tellCaller } from './tell-caller.js'

/** `sdbridge hook precreate`: from standard input to standard output. @returns The exit code. */
export async function runPrecreate(containerDirectory: string): Promise<number> {
  try {
    writeAll(await editedByHook(await text(process.stdin), containerDirectory))
    return 0
  } catch (error) {
    tellCaller((error as Error).message)
    return error instanceof BridgeError ? error.exitCode : 125
  }
}

function writeAll(output: string): void {
  let rest = Buffer.from(output)
  while (rest.length > 0) rest = rest.subarray(writeSync(1, rest))
}
