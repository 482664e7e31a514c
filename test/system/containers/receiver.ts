import { once } from 'node:events'
import { inside } from '../repository.js'
import type { ContainerHost } from './container-host.js'
import type { Payload } from './payload.js'
import { CONTROL_FOLDER } from './payloads.js'

/** A receiver of notifications in a machine that is no service manager: it shows the very bytes. */
export interface Receiver {
  address: string
  payload: Payload
  end(): Promise<void>
}

let count = 0

/**
 * Starts one.
 *
 * @param address A path whose folder is there, or `@` and an abstract name.
 */
export async function startReceiver(
  host: ContainerHost,
  address: string,
  { isBound = true } = {},
): Promise<Receiver> {
  count += 1
  const name = `receiver-${count}`
  const program = inside('test/system/containers/payload/remote.py')
  const child = host.machine.spawn('python3', [program, name, `${CONTROL_FOLDER}/socket`])
  child.stderr.on('data', (text) => process.stderr.write(`${name}: ${String(text)}`))
  const payload = await host.payloads.next(name, async (signal) => {
    await once(signal, 'abort')
    throw new Error(`${name} has not started`)
  })
  if (isBound) await payload.bind(address)
  return {
    address,
    payload,
    async end() {
      await payload.exit(0)
      if (!address.startsWith('@')) await host.machine.run('rm', ['--force', address])
    },
  }
}
