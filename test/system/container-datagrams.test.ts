import { expect } from 'vitest'
import { BridgedService } from './containers/bridged-service.js'
import { describeContainers } from './containers/describe-containers.js'
import { startReceiver } from './containers/receiver.js'

/** The longest that systemd reads. */
const LONGEST = 4096

describeContainers('what a container sends', (scenario) => {
  scenario('S2', 'arrives as it was sent, one datagram for one', async (host, engine) => {
    const receiver = await startReceiver(host, `/run/receiver-${engine}`)
    const service = await BridgedService.write(host, engine, 'exact', {
      settings: `Type=exec\nNotifyAccess=none\nEnvironment=NOTIFY_SOCKET=${receiver.address}`,
    })
    const payload = await service.start()
    const messages = [
      'STATUS=first',
      'READY=1\nSTATUS=two lines',
      'RELOADING=1\nMONOTONIC_USEC=123456789\nSTATUS=again',
      'X_VENDOR_KEY=anything at all\nERRNO=2',
      'WATCHDOG=1\nEXTEND_TIMEOUT_USEC=1000000',
      'STOPPING=1\nEXIT_STATUS=7',
    ]
    for (const text of messages) await payload.send(text)
    for (const text of messages) {
      const { text: received } = await receiver.payload.receive()
      expect(received.split('\n').filter(Boolean).toSorted()).toEqual(text.split('\n').toSorted())
    }
    // Of the bridge itself there is not a word.
    expect(await receiver.payload.receiveIfAny(300)).toBeNull()
    await payload.exit(0)
    await service.waitFor({ ActiveState: 'inactive' })
    expect(await receiver.payload.receiveIfAny(300)).toBeNull()
    await receiver.end()
  })

  scenario('S17', 'nothing at all: what follows counts', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'empty')
    const payload = await service.start()
    await payload.send('')
    await payload.send('\n')
    await payload.send('READY=1\nSTATUS=after nothing')
    await service.waitFor({ ActiveState: 'active', StatusText: 'after nothing' })
    // Neither does it reach the manager, which would complain.
    expect(await host.machine.log()).not.toMatch(new RegExp(`${service.unit}.*[Ee]mpty`))
  })

  scenario(
    'S18',
    'the longest datagram that systemd reads, and longer ones',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'long')
      const payload = await service.start()
      const fits = `STATUS=${'a'.repeat(LONGEST - 'STATUS='.length)}`
      await payload.send(fits)
      await service.waitFor({ StatusText: fits.slice('STATUS='.length), ActiveState: 'activating' })

      for (const [length, first, last] of [
        [LONGEST + 1, '', '\nREADY=1'],
        [32_769, '', '\nERRNO=7'],
        // Of this one nobody reads the end.
        [200_000, 'ERRNO=8\n', ''],
      ] as const) {
        const letter = length % 2 === 0 ? 'b' : 'c'
        const start = `${first}STATUS=${length} `
        await payload.send(start + letter.repeat(length - start.length - last.length) + last)
        await expect
          .poll(async () => (await service.show('StatusText'))['StatusText'])
          .toMatch(new RegExp(`^${length} ${letter}{4000,}.{0,3}$`))
      }
      // The lines that change a state are there, whatever the status.
      expect(await service.show('ActiveState', 'StatusErrno')).toEqual({
        ActiveState: 'active',
        StatusErrno: '8',
      })
    },
  )

  scenario('S18', 'a status is shortened between two characters', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'characters')
    const payload = await service.start()
    await payload.send(`STATUS=${'終'.repeat(3000)}\nREADY=1`)
    await service.waitFor({ ActiveState: 'active', SubState: 'running' })
    const { StatusText = '' } = await service.show('StatusText')
    expect(StatusText).toMatch(/^終{1300,}.?$/u)
  })

  scenario(
    'S19',
    'NUL: at the end it is nothing, in the middle it makes no false state',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'nul')
      const payload = await service.start()
      await payload.send('STATUS=with a terminator\0')
      await service.waitFor({ StatusText: 'with a terminator' })
      await payload.send('STATUS=cut\0off\nREADY=1\0')
      await payload.send('ERRNO=9')
      await service.waitFor({ StatusErrno: '9' })
      // systemd drops such a message whole; and here it does not get one.
      expect(await host.machine.log()).not.toMatch(/embedded NUL/)
      await payload.send('READY=1\0')
      await service.waitFor({ ActiveState: 'active', SubState: 'running' })
    },
  )

  scenario('S19', 'lines that end with CRLF', async (host, engine) => {
    const service = await BridgedService.write(host, engine, 'crlf')
    const payload = await service.start()
    await payload.send('READY=1\r\nSTATUS=from another world\r\n')
    await service.waitFor({ ActiveState: 'active', StatusText: 'from another world' })
  })

  scenario(
    'S19',
    'a status that is no UTF-8: the rest of the message counts',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'invalid')
      const payload = await service.start()
      await payload.send(Buffer.from('STATUS=\xff\xfe broken\nREADY=1\nERRNO=4', 'latin1'))
      await service.waitFor({ ActiveState: 'active', SubState: 'running', StatusErrno: '4' })
      await payload.send('STATUS=whole')
      await service.waitFor({ StatusText: 'whole' })
    },
  )

  scenario(
    'S21',
    'a flood: what matters arrives, and another container is heard',
    async (host, engine) => {
      const service = await BridgedService.write(host, engine, 'flood', {
        settings: 'WatchdogSec=60',
      })
      const neighbour = await BridgedService.write(host, engine, 'neighbour')
      const [payload, other] = [await service.start(), await neighbour.start()]
      const flood = payload.send('WATCHDOG=1', { count: 10_000 })
      await other.send('READY=1\nSTATUS=in spite of it')
      await neighbour.waitFor({ ActiveState: 'active', StatusText: 'in spite of it' })
      await flood
      await payload.send('READY=1\nSTATUS=after the flood')
      await service.waitFor({ ActiveState: 'active', StatusText: 'after the flood' })
    },
  )
})
