import { readdirSync } from 'node:fs'
import { execve, isCloexec } from '@sdbridge/syscalls'
import { askForDescriptors, type Descriptors } from '../broker/ask-for-descriptors.js'
import { REQUEST_VARIABLE } from '../engines/descriptor-request.js'
import { configFileOf, readBundle } from '../runtime/bundle.js'
import { withDescriptors } from '../runtime/listen-config.js'
import { replaceFile } from '../runtime/replace-file.js'
import { containerRequest } from './container-request.js'
import { parseRuntimeCall, type RuntimeCall } from './runtime-call.js'
import { tellRuntimeError } from './runtime-error.js'
import { environmentForRuntime } from './runtime-environment.js'

/**
 * Becomes the low-level runtime, in the same process, with the descriptors that a container asks for, of which its configuration then
 * tells the payload. A container that asks for none is made as if this were not here.
 *
 * @param lowLevel The absolute path of runc, crun or one like them.
 * @param args What its caller has given it.
 * @returns The exit code, where there is no becoming.
 */
export async function becomeRuntime(lowLevel: string, args: readonly string[]): Promise<number> {
  const call = parseRuntimeCall(lowLevel, args)
  try {
    const descriptors = await descriptorsFor(call)
    const count = descriptors.fds.length
    return execve(lowLevel, args, {
      env: environmentForRuntime(process.env, count),
      fds: placesOf(call, descriptors),
    })
  } catch (error) {
    tellRuntimeError(call, (error as Error).message)
    return 1
  }
}

const NONE: Descriptors = { fds: [], names: [] }

async function descriptorsFor({ verb, bundle, config: file }: RuntimeCall): Promise<Descriptors> {
  const { config, json } = await readBundle(bundle, file)
  const request = containerRequest(config)
  if (request === undefined) return NONE
  if (verb === 'restore')
    throw new Error(
      'a container that is restored has the sockets of its checkpoint, and gets none of its unit: start it anew',
    )
  if (process.env['LISTEN_FDS'] !== undefined)
    throw new Error(
      'expected the sockets of the unit from one side, found LISTEN_FDS as well: leave the one or the other out',
    )
  const descriptors = await askForDescriptors(request)
  const edited = withDescriptors(config, descriptors.names, [REQUEST_VARIABLE])
  replaceFile(configFileOf(bundle, file), json.stringify(edited))
  return descriptors
}

/** Where each descriptor is to be: runc and crun take those of LISTEN_FDS first, and those of --preserve-fds behind them. */
function placesOf({ preservedFds }: RuntimeCall, { fds }: Descriptors): Record<number, number> {
  const places: Record<number, number> = {}
  for (const fd of inherited(fds)) {
    const isPreserved = fd < 3 + preservedFds
    const place = isPreserved ? fd + fds.length : fd
    if (!isPreserved && place < 3 + fds.length + preservedFds)
      throw new Error(
        `expected the numbers from 3 on to be free for the ${fds.length} descriptor(s) of the unit, found ${fd} open: whoever calls the runtime must close it`,
      )
    places[place] = fd
  }
  for (const [index, fd] of fds.entries()) places[3 + index] = fd
  return places
}

// All of Node's own, and those of the unit that have just come, are close-on-exec.
function inherited(fds: readonly number[]): number[] {
  const numbers = readdirSync('/proc/self/fd').map(Number)
  return numbers.filter((fd) => fd > 2 && !fds.includes(fd) && isInherited(fd))
}

function isInherited(fd: number): boolean {
  try {
    return !isCloexec(fd)
  } catch {
    // The one by which the list was read.
    return false
  }
}
