import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import { describeContainers } from './containers/describe-containers.js'

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
  },
  { dockerd: ['--userns-remap=default'] },
)
