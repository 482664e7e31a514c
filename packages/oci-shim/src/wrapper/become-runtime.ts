import { execve } from '@sdbridge/syscalls'
import { askForDescriptors, type Descriptors } from '../broker/ask-for-descriptors.js'
import { REQUEST_VARIABLE } from '../engines/descriptor-request.js'
import { configFileOf, readBundle } from '../runtime/bundle.js'
import { withDescriptors } from '../runtime/listen-config.js'
import { replaceFile } from '../runtime/replace-file.js'
import { containerRequest } from './container-request.js'
import { parseRuntimeCall, type RuntimeCall } from './runtime-call.js'
import { tellRuntimeError } from './runtime-error.js'
import { environmentForRuntime, inheritedFds } from './runtime-environment.js'

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
      fds: placesOf(call, args, descriptors),
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
  // What is meant for another process is nobody's.
  if (process.env['LISTEN_PID'] === String(process.pid))
    throw new Error(
      'expected the sockets of the unit from one side, found LISTEN_FDS as well: leave the one or the other out',
    )
  const descriptors = await askForDescriptors(request)
  const edited = withDescriptors(config, descriptors.names, [REQUEST_VARIABLE])
  replaceFile(configFileOf(bundle, file), json.stringify(edited))
  return descriptors
}

/**
 * Where each descriptor is to be: runc and crun take those of LISTEN_FDS first, and those of --preserve-fds behind them. Of others they know
 * only what their command line names; one whose place is taken is left out, such as the shim of containerd lets slip at 3.
 */
function placesOf(
  { preservedFds }: RuntimeCall,
  args: readonly string[],
  { fds }: Descriptors,
): Record<number, number> {
  const places: Record<number, number> = {}
  const end = 3 + fds.length + preservedFds
  for (const fd of inheritedFds(process.env)) {
    if (fd < 3 + preservedFds) places[fd + fds.length] = fd
    else if (fd >= end) places[fd] = fd
    else if (args.some((each) => each.endsWith(`/fd/${fd}`)))
      throw new Error(
        `expected the numbers from 3 on to be free for the ${fds.length} descriptor(s) of the unit, found /fd/${fd} on the command line: whoever calls the runtime must take another`,
      )
  }
  for (const [index, fd] of fds.entries()) places[3 + index] = fd
  return places
}
