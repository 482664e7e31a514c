import { writeFile } from 'node:fs/promises'
import { engineCommand } from '../containers/engine-command.js'
import type { RuntimeConfig } from '../containers/container.js'
import { inside } from '../repository.js'
import { BUNDLES, FIRST_MAPPED_ID, SDBRIDGE, type Container } from './rivals.js'
import type { Scenario } from './scenarios.js'
import type { Trial } from './trial.js'

/** Writes what a trial needs: its unit, and a bundle where there is no image. */
export async function writeTrial(trial: Trial, scenario: Partial<Scenario> = {}): Promise<void> {
  const { rival, name, machine } = trial
  const container = trial.container(scenario.hasUserNamespace ?? false)
  await writeFiles(trial, container)
  const sdbridge = `${machine.nodePath} ${inside('packages/oci-shim/bin/sdbridge.js')}`
  const settings = rival.settings(container).replaceAll(SDBRIDGE, sdbridge)
  // No core file, and no longer wait than the ones that are meant.
  const text = `[Service]\n${settings}TimeoutStopSec=20\nLimitCORE=0\n${scenario.settings ?? ''}\n`
  const folder = machine.path('/run/systemd/system')
  await writeFile(`${folder}/${name}.service`, text)
  if (scenario.hasSocket) {
    const socket = `[Socket]\nListenStream=/run/${name}.sock\nFileDescriptorName=web\n`
    await writeFile(`${folder}/${name}.socket`, socket)
  }
}

async function writeFiles({ rival, host }: Trial, container: Container): Promise<void> {
  const { name, argv, mounts, hasUserNamespace } = container
  if (rival.files === undefined) return
  if (rival.files === 'root file system') await host.copyOfImage('payload', name)
  else {
    await engineCommand(host, rival.files === 'bundle of runc' ? 'runc' : 'crun', name, {
      argv,
      mounts,
      edit(config) {
        if (hasUserNamespace) mapUsers(config)
        rival.edit?.(config, container)
      },
    })
  }
  if (!hasUserNamespace) return
  // Its root must be able to make mountpoints. The files are shared with other bundles: it gets copies.
  const script = `mv "$0" "$0.shared" && cp -a "$0.shared" "$0" && rm -r "$0.shared" && chown -R "$1:$1" "$0"`
  await host.machine.run('sh', ['-c', script, `${BUNDLES}/${name}/rootfs`, `${FIRST_MAPPED_ID}`])
}

function mapUsers({ linux }: RuntimeConfig): void {
  const mapping = { containerID: 0, hostID: FIRST_MAPPED_ID, size: 65_536 }
  linux.namespaces.push({ type: 'user' })
  linux.uidMappings = [mapping]
  linux.gidMappings = [mapping]
}
