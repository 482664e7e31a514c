import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { DaemonHost } from './daemon/daemon-host.js'
import { describeOnEachSystemd } from './machines.js'
import { whileManagerIsStopped } from './remote/stopped-manager.js'
import { inside } from './repository.js'

/** net.unix.max_dgram_qlen is 512 under systemd. */
const KERNEL_QUEUE = 513
/** Senders of the container: one alone would come to the end of its own send buffer first. */
const SENDERS = 8
const ROUNDS = 200
/** What else is in the service manager's queue, such as the daemon's own messages. */
const MOST_OTHERS = 20

describeOnEachSystemd('what containers say and the daemon cannot pass on', (machine) => {
  let host: DaemonHost

  test('waits in the kernel; who sends more, waits; and all arrives, in order', async () => {
    host = await DaemonHost.install(machine(), ['web*.service'])
    await host.writeService('web')
    await host.start('web')
    await host.send('web', 'READY=1\nSTATUS=first')
    await host.waitFor('web.service', { ActiveState: 'active', StatusText: 'first' })
    await machine().systemctl('log-level', 'debug')

    const words = [host.socketOf('web'), '1', `${SENDERS}`, 'blocking']
    const script = inside('test/system/daemon/send-rounds.py')
    const sender = machine().spawn('python3', [script, ...words])
    sender.stderr.pipe(process.stderr)
    let sent = 0
    createInterface(sender.stdout).on('line', (count) => (sent = Number(count)))
    const outcome = await whileManagerIsStopped(machine(), async () => {
      sender.stdin.write('\n'.repeat(ROUNDS))
      for (let before = -1; sent === 0 || before !== sent;) {
        before = sent
        await delay(500)
      }
      return { sent: sent * SENDERS, another: await sendAtOnce() }
    })
    // In the service manager's queue, and in the container's.
    expect(outcome.sent).toBeLessThanOrEqual(2 * KERNEL_QUEUE)
    expect(outcome.sent).toBeGreaterThan(2 * KERNEL_QUEUE - SENDERS - MOST_OTHERS)
    expect(outcome.another).toBe('BlockingIOError\n')

    await host.waitFor('web.service', { StatusText: `${SENDERS} ${ROUNDS}` })
    await machine().systemctl('log-level', 'info')
    const arrived = [...(await machine().log()).matchAll(NOTIFICATION)].map(([, text]) => text)
    const all = Array.from(
      { length: ROUNDS * SENDERS },
      (_, index) => `${(index % SENDERS) + 1} ${Math.floor(index / SENDERS) + 1}`,
    )
    expect(arrived).toEqual(all)
    expect(await host.list()).toMatchObject([
      { forwarded: all.length + 1, received: all.length + 1, droppedMessages: {}, waiting: 0 },
    ])
  }, 120_000)

  test('a container that would not be stored is refused, with what to do', async () => {
    await machine().systemctl('stop', 'web.service')
    await machine().writeUnit(
      'sdbridge.service.d/few.conf',
      '[Service]\nFileDescriptorStoreMax=5\n',
    )
    await machine().systemctl('restart', 'sdbridge.service')
    const register = `${machine().nodePath} ${inside('test/system/daemon/register-many.mjs')}`
    await machine().writeUnit(
      'web-many.service',
      `[Service]\nType=exec\nNotifyAccess=main\nExecStart=/bin/sh -c "${register} n 1 7; exec sleep infinity"\n`,
    )
    await machine().systemctl('start', 'web-many.service')
    await machine().waitForOutput('web-many.service', 'n7: ')
    const reason =
      'the daemon bridges 5 containers, which is what its descriptor store holds: raise FileDescriptorStoreMax= of sdbridge.service'
    expect(machine().output('web-many.service')).toBe(`n6: ${reason}\nn7: ${reason}\n`)
    await host.waitFor('sdbridge.service', {
      NFileDescriptorStore: '5',
      StatusText: 'Bridging 5 containers',
    })
    expect(machine().output('sdbridge.service')).toContain(`refused: ${reason}`)
  })

  /** What becomes of a message that must not wait. */
  async function sendAtOnce(): Promise<string> {
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
s.setblocking(False)
try:
    s.send(b"STATUS=0 0")
    print("sent")
except OSError as error:
    print(type(error).__name__)`
    const { stdout } = await machine().run('python3', ['-c', script, host.socketOf('web')])
    return stdout
  }
})

const NOTIFICATION = /web\.service: Got notification message from PID.*?STATUS=(\d+ \d+)/g
