import type { BridgedService } from './bridged-service.js'
import type { Container } from './container.js'

const FIRST = 100_000
const COUNT = 65_536

/** A container with a user namespace, whose root is not that of the host. */
export const WITH_MAPPED_USERS: Pick<Container, 'edit' | 'options'> = {
  options: ['--uidmap', `0:${FIRST}:${COUNT}`, '--gidmap', `0:${FIRST}:${COUNT}`],
  edit: ({ linux }) => {
    linux.namespaces.push({ type: 'user' })
    const mapping = { containerID: 0, hostID: FIRST, size: COUNT }
    linux.uidMappings = [mapping]
    linux.gidMappings = [mapping]
  },
}

/** As whoever makes a bundle for a user namespace has to: its root must be able to make mountpoints. */
export async function giveAway({ host, id }: BridgedService): Promise<void> {
  const root = `/srv/bundles/${id}/rootfs`
  // Its files are shared with other bundles, so they are given away as copies.
  await host.machine.run('sh', [
    '-c',
    `mv "$0" "$0.shared" && cp -a "$0.shared" "$0" && rm -r "$0.shared" && chown -R ${FIRST}:${FIRST} "$0"`,
    root,
  ])
}
