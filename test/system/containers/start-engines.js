// @ts-check
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** @typedef {import('../machine/machine.js').Machine} Machine */

/**
 * What this machine made of namespaces lacks is said in podman's configuration, not in every command line.
 *
 * @param {Machine} machine
 */
export async function configurePodman(machine) {
  const folder = machine.path('/etc/containers')
  await writeFile(
    join(folder, 'containers.conf'),
    `[containers]
netns = "none"
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
`,
  )
  await writeFile(
    join(folder, 'storage.conf'),
    `[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
`,
  )
}

/**
 * @param {Machine} machine
 * @param {readonly string[]} [options] of dockerd
 */
export async function startDocker(machine, options = []) {
  const command = [
    ...['/usr/sbin/dockerd', '--bridge=none', '--iptables=false', '--ip6tables=false'],
    ...['--storage-driver=vfs', '--exec-opt', 'native.cgroupdriver=cgroupfs', ...options],
  ]
  await machine.writeUnit(
    'docker.service',
    `[Service]
Type=notify
ExecStart=${command.join(' ')}
Delegate=yes
KillMode=process
`,
  )
  await machine.run('systemctl', ['start', 'docker'], { timeoutMs: 60_000 })
}
