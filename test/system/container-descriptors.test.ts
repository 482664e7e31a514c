import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import type { ContainerHost } from './containers/container-host.js'
import { describeContainers } from './containers/describe-containers.js'
import { TELLS_ENDING, waitForEnding } from './containers/ending.js'
import { KNOWS_LAUNCHER, writeLauncher } from './containers/runtime-launcher.js'
import { listen } from './containers/unit-sockets.js'

describeContainers(
  'descriptors of a container',
  (scenario) => {
    scenario(
      'S13',
      'are stored, and come back by name after systemctl restart',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'stored', {
          settings: 'FileDescriptorStoreMax=10',
        })
        const payload = await service.startReady()
        expect(await payload.environment()).toMatchObject({ FDSTORE: '10' })
        await payload.openMemory('state', 'what the first container knew')
        await payload.openMemory('other', 'and something else')
        await payload.openPipe('reader', 'writer')
        await payload.send('FDSTORE=1\nFDNAME=state', { files: ['state'] })
        await payload.send('FDSTORE=1\nFDNAME=rest', { files: ['other', 'reader'] })
        await payload.send('FDSTORE=1', { files: ['writer'] })
        await service.waitFor({ NFileDescriptorStore: '4' })
        expect(await namesInStore(host, service)).toSatisfy(areTheirs)

        const next = await restart(service)
        const passed = await next.listenFds()
        const shown = passed.map(({ name, content }) => `${name}: ${content}`).toSorted()
        expect(shown).toEqual([
          'rest: and something else',
          'rest: pipe',
          'state: what the first container knew',
          'stored: pipe',
        ])
        // Given, but not given away: they come back as often as it starts.
        expect(await service.show('NFileDescriptorStore')).toEqual({ NFileDescriptorStore: '4' })
        await next.send('READY=1')
        await service.waitFor({ ActiveState: 'active' })
        const afterThat = await restart(service)
        const names = (await afterThat.listenFds()).map(({ name }) => name)
        expect(names.toSorted()).toEqual(['rest', 'rest', 'state', 'stored'])
      },
    )

    scenario(
      'S13',
      'a unit without a store: the payload is not told of one',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'storeless')
        const payload = await service.startReady()
        expect(await payload.environment()).not.toHaveProperty('FDSTORE')
        await payload.openPipe('reader', 'writer')
        await payload.send('FDSTORE=1\nFDNAME=lost\nSTATUS=sent', {
          files: ['writer'],
          close: true,
        })
        await service.waitFor({ StatusText: 'sent', NFileDescriptorStore: '0' })
        // Nobody holds what it sent.
        expect(await payload.hangsUp('reader', 20_000)).toBe(true)
      },
    )

    scenario(
      'S14',
      'FDSTOREREMOVE=1 removes what has the name, and nothing else',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'removed', {
          settings: 'FileDescriptorStoreMax=10',
        })
        const payload = await service.startReady()
        for (const name of ['a', 'b', 'c']) {
          await payload.openMemory(name, name)
          await payload.send(`FDSTORE=1\nFDNAME=${name === 'c' ? 'a' : name}`, { files: [name] })
        }
        await service.waitFor({ NFileDescriptorStore: '3' })
        await payload.send('FDSTOREREMOVE=1\nFDNAME=a')
        await service.waitFor({ NFileDescriptorStore: '1' })
        await payload.send('FDSTOREREMOVE=1\nFDNAME=nothing\nSTATUS=removed')
        await service.waitFor({ NFileDescriptorStore: '1', StatusText: 'removed' })
      },
    )

    scenario('S14', 'FDPOLL=0 keeps what has hung up', async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'polled', {
        settings: 'FileDescriptorStoreMax=10',
      })
      const payload = await service.startReady()
      for (const name of ['kept', 'dropped'])
        await payload.openPipe(`${name}-reader`, `${name}-writer`)
      const store = (name: string) => `FDSTORE=1\nFDNAME=${name}`
      await payload.send(`${store('kept')}\nFDPOLL=0`, { files: ['kept-reader'] })
      await payload.send(store('dropped'), { files: ['dropped-reader'] })
      await service.waitFor({ NFileDescriptorStore: '2' })
      for (const name of ['kept', 'dropped']) await payload.closeFile(`${name}-writer`)
      await service.waitFor({ NFileDescriptorStore: '1' })
    })

    scenario(
      'S29',
      'sockets of systemd are there, in order, by name, and serve',
      async (host, engine) => {
        const { machine } = host
        const service = await BridgedService.write(host, engine, 'socket-activated')
        await listen(host, service, 'first', 'second')
        const client = connect(machine.path(`/run/${service.id}.first`))
        client.write('anybody there?')
        const answer = text(client)
        // The client's connection has started it.
        const payload = await service.payload()
        await payload.send('READY=1')
        const passed = await payload.listenFds()
        expect(passed.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
          { name: 'first', content: 'socket' },
          { name: 'second', content: 'socket' },
        ])
        const fd = 3 + passed.findIndex(({ name }) => name === 'first')
        expect(await payload.serveOne(fd, 'a container')).toBe('anybody there?')
        expect(await answer).toBe('a container')
        await service.waitFor({ ActiveState: 'active' })
      },
    )

    scenario(
      'S29',
      'with --init they are those of the payload, not of process 1',
      async (host, engine) => {
        const service = await BridgedService.write(host, engine, 'socket-init', {
          container: { init: true },
        })
        await listen(host, service, 'first', 'second')
        const payload = await service.startReady()
        expect(payload.pid).toBeGreaterThan(1)
        expect((await payload.listenFds()).map(({ name }) => name).toSorted()).toEqual([
          'first',
          'second',
        ])
      },
      ['podman'],
    )

    scenario('S30', 'a thousand messages with descriptors', async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'thousand', {
        settings: `FileDescriptorStoreMax=10\n${TELLS_ENDING}`,
        // So that what changes in its files is nothing that it did itself.
        container: { readOnly: true },
      })
      const before = await filesOfImage(host, service)
      const payload = await service.startReady()
      await payload.openMemory('kept', 'content')
      await payload.openPipe('reader', 'writer')
      await payload.send('STATUS=first')
      await service.waitFor({ StatusText: 'first' })
      const ofBridge = await openFds(host, service)

      await payload.send('STATUS=with descriptors', { files: ['kept', 'writer'], count: 400 })
      await payload.send('READY=1\nBARRIER=1', { files: ['writer'], count: 100 })
      await payload.send('FDSTORE=1\nFDNAME=kept', { files: ['kept', 'writer'], count: 300 })
      await payload.send('BARRIER=1', { files: ['writer'], count: 200 })
      await payload.send('FDSTOREREMOVE=1\nFDNAME=kept')
      await payload.closeFile('writer')
      expect(await payload.hangsUp('reader', 30_000)).toBe(true)
      await payload.send('STATUS=after all')
      await service.waitFor({ StatusText: 'after all', NFileDescriptorStore: '0' })
      await expect.poll(() => openFds(host, service), { timeout: 20_000 }).toEqual(ofBridge)

      await payload.exit(0)
      await waitForEnding(service, 'success exited 0')
      expect(await filesOfImage(host, service)).toEqual(before)
    })
  },
  { dockerd: [KNOWS_LAUNCHER], prepare: (host) => writeLauncher(host) },
)

async function restart(service: BridgedService) {
  await service.systemctl('restart', '--no-block')
  return service.payload()
}

/** As the manager shows them; an older one does not. */
async function namesInStore(
  host: ContainerHost,
  service: BridgedService,
): Promise<string[] | undefined> {
  if ((await host.machine.systemdVersion()) < 254) return undefined
  const { stdout } = await host.machine.run('systemd-analyze', [
    ...['--json=short', 'fdstore', service.unit],
  ])
  return (JSON.parse(stdout) as { fdname: string }[]).map(({ fdname }) => fdname)
}

/** They cannot be taken for the unit's own. */
function areTheirs(names: string[] | undefined): boolean {
  return (
    names === undefined || (names.length > 0 && names.every((name) => name.startsWith('sdbridge.')))
  )
}

/** Those of the unit's main process, by what they are. */
async function openFds(host: ContainerHost, service: BridgedService): Promise<string[]> {
  const { MainPID } = await service.show('MainPID')
  const { stdout } = await host.machine.run('sh', ['-c', `readlink /proc/${MainPID}/fd/*`])
  return stdout
    .split('\n')
    .map((line) => line.replace(/:\[\d+\]$/, ''))
    .toSorted()
}

/** What is in the root file system of a bundle; nothing for an image, whose container is removed. */
async function filesOfImage(host: ContainerHost, { id }: BridgedService): Promise<string> {
  const folder = `/srv/bundles/${id}`
  const { stdout } = await host.machine.run('sh', [
    '-c',
    `[ ! -d ${folder} ] || find ${folder} | sort`,
  ])
  return stdout
}
