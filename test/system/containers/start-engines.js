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
  await mountStorage(machine, '/var/lib/containers')
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
driver = "overlay"
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
  await mountStorage(machine, '/var/lib/docker')
  const command = [
    ...['/usr/sbin/dockerd', '--bridge=none', '--iptables=false', '--ip6tables=false'],
    ...['--storage-driver=overlay2', '--exec-opt', 'native.cgroupdriver=cgroupfs', ...options],
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

/**
 * A container's files are an overlay then, which is made at once. What the machine itself is made of is one already, on which there can
 * be no other: on it an engine would copy all files of an image for each container.
 *
 * @param {Machine} machine
 * @param {string} directory
 */
async function mountStorage(machine, directory) {
  await machine.run('mkdir', ['-p', directory])
  await machine.run('mount', ['-t', 'tmpfs', '-o', 'mode=711', 'storage', directory])
}
