import { KNOWS_LAUNCHER } from '../containers/runtime-launcher.js'
import type { Machine } from '../machine/machine.js'
import { REMAPPED_DOCKER } from './rivals.js'

/** Starts a second dockerd, all of whose containers have a user namespace, with the image of the payload. */
export async function startRemappedDocker(machine: Machine): Promise<void> {
  const name = 'docker-remapped'
  const command = [
    ...['/usr/sbin/dockerd', '--bridge=none', '--iptables=false', '--ip6tables=false'],
    ...['--storage-driver=vfs', '--exec-opt', 'native.cgroupdriver=cgroupfs'],
    ...['--userns-remap=default', `--host=${REMAPPED_DOCKER}`, `--data-root=/var/lib/${name}`],
    ...[`--exec-root=/run/${name}`, `--pidfile=/run/${name}.pid`, KNOWS_LAUNCHER],
  ]
  await machine.writeUnit(
    `${name}.service`,
    `[Service]
Type=notify
ExecStart=${command.join(' ')}
Delegate=yes
KillMode=process
`,
  )
  await machine.run('systemctl', ['start', name], { timeoutMs: 60_000 })
  const script = 'tar -C /srv/images/payload -c . | docker import - payload'
  await machine.run('sh', ['-c', script], {
    env: { DOCKER_HOST: REMAPPED_DOCKER },
    timeoutMs: 60_000,
  })
}
