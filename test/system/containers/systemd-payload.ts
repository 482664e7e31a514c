import { inside } from '../repository.js'
import { BridgedService, type BridgedServiceOptions } from './bridged-service.js'
import type { Container, EngineName } from './container.js'
import type { ContainerHost } from './container-host.js'

const IMAGE = 'systemd'
const SYSTEMD = ['/usr/lib/systemd/systemd']

/** Makes an image whose first process is the machine's systemd, for every engine of the host. */
export async function addSystemdImage(host: ContainerHost): Promise<void> {
  const script = inside('test/system/containers/payload/collect-systemd.sh')
  await host.machine.run('bash', [script, `/srv/images/${IMAGE}`], { timeoutMs: 60_000 })
  await host.importImage(IMAGE, IMAGE, [])
}

/** A container whose first process is systemd, and whose payload is a service in there. */
export function systemdContainer(id: string, container: Partial<Container> = {}): Container {
  const { argv = SYSTEMD, env = {}, ...rest } = container
  return { image: IMAGE, argv, env: { PAYLOAD: id, ...env }, ...rest }
}

/** Writes a unit whose container's first process is systemd. */
export function writeSystemdService(
  host: ContainerHost,
  engine: EngineName,
  name: string,
  { bridge = [], container, ...options }: BridgedServiceOptions = {},
): Promise<BridgedService> {
  return BridgedService.write(host, engine, name, {
    ...options,
    bridge: ['--systemd', ...bridge],
    container: systemdContainer(`${name}-${engine}`, container),
  })
}
