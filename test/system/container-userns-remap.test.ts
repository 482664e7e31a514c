import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import { describeContainers } from './containers/describe-containers.js'
import { writeSystemdService } from './containers/systemd-payload.js'

describeContainers(
  'a docker whose containers have a user namespace',
  (scenario) => {
    scenario(
      'S22',
      'a user namespace',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'remapped', {
          settings: 'FileDescriptorStoreMax=5',
        })
        const payload = await service.start()
        expect(payload.uid).toBe(0)
        expect(await payload.readFile('/proc/self/uid_map')).toMatch(/^\s+0\s+[1-9]\d+\s+65536\n$/)
        await payload.openMemory('kept', 'through the namespace')
        await payload.send('READY=1\nSTATUS=as root of its own\nFDSTORE=1\nFDNAME=kept', {
          files: ['kept'],
        })
        await service.waitFor({
          ...{ ActiveState: 'active', StatusText: 'as root of its own' },
          NFileDescriptorStore: '1',
        })
        await payload.sendBarrier('barrier')
        expect(await payload.isReleased('barrier', 20_000)).toBe(true)
      },
      ['docker'],
    )

    scenario(
      'systemd',
      'there it cannot be: dockerd gives no container a cgroup to write to, which is said',
      async (host, engine) => {
        const service = await writeSystemdService(host, engine, 'mapped', {
          // Of dockerd's own words nothing is to be seen.
          container: { image: 'payload', argv: ['true'] },
        })
        await service.startToTheEnd()
        expect(await service.show('Result', 'ExecMainStatus')).toEqual({
          Result: 'exit-code',
          ExecMainStatus: '125',
        })
        expect(service.output()).toMatch(
          /^sdbridge: dockerd has userns-remap, .* take podman or crun\n$/,
        )
        const [node = '', ...script] = host.sdbridge
        const { stdout } = await host.machine.run(
          node,
          [...script, 'doctor', '--unit', service.unit],
          { allowFailure: true },
        )
        expect(stdout).toMatch(/: fault: dockerd has userns-remap.*\[engine-maps-users\]\n/)
        // That it is so: the daemon's own refusal, in a user namespace of the host too.
        for (const options of [[], ['--userns=host']]) {
          const { stderr, exitCode } = await host.machine.run(
            'docker',
            [
              'run',
              '--rm',
              '--security-opt',
              'writable-cgroups=true',
              ...options,
              'payload',
              'true',
            ],
            { allowFailure: true },
          )
          expect(exitCode).toBe(125)
          expect(stderr).toContain('conflicts with user namespaces')
        }
      },
      ['docker'],
    )
  },
  { dockerd: ['--userns-remap=default'] },
)
