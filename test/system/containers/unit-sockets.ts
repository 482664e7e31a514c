import type { BridgedService } from './bridged-service.js'
import type { ContainerHost } from './container-host.js'

/** Gives a unit sockets of these names, which listen from now on at `/run/ID.NAME`, and for as long as the test. */
export async function listen(
  { machine }: ContainerHost,
  service: BridgedService,
  ...names: string[]
): Promise<void> {
  const { id, unit } = service
  const sockets = names.map((name) => `${id}-${name}.socket`)
  for (const [index, name] of names.entries()) {
    await machine.writeUnit(
      sockets[index]!,
      `[Socket]\nListenStream=/run/${id}.${name}\nFileDescriptorName=${name}\nService=${unit}\nRemoveOnStop=yes\n`,
    )
  }
  await machine.writeUnit(
    `${unit}.d/sockets.conf`,
    `[Unit]\n${sockets.map((socket) => `Wants=${socket}\nAfter=${socket}\n`).join('')}` +
      `[Service]\n${sockets.map((socket) => `Sockets=${socket}\n`).join('')}`,
  )
  for (const socket of sockets) service.sockets.add(socket)
  await machine.systemctl('start', ...sockets)
}
