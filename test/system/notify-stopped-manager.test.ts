import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { describeOnEachSystemd } from './machines.js'
import type { RemoteProcess } from './remote/remote-process.js'
import { RemoteService } from './remote/remote-service.js'
import { whileManagerIsStopped } from './remote/stopped-manager.js'

/** What the kernel keeps of what the service manager has not read: net.unix.max_dgram_qlen is 512 under systemd. */
const KERNEL_QUEUE = 513
const OWN_QUEUE = 512
const OWN_QUEUE_OF_STATES = 1024

describeOnEachSystemd('while the service manager is stopped', (machine) => {
  test('messages wait, in order, and too many are refused; the service goes on', async () => {
    const service = await RemoteService.write(machine(), 'queue')
    const main = await service.startReady()
    const meanwhile = await whileManagerIsStopped(machine(), () =>
      main.run(
        async ({ notify, kept }, { firstPid, kernelQueue, places, placesOfStates }) => {
          const outcomes: Record<string, number> = {}
          const count = (outcome: string) => (outcomes[outcome] = (outcomes[outcome] ?? 0) + 1)
          let pid = firstPid
          const send = (assignments: { mainPid?: number; errno?: number }, number: number) =>
            Array.from({ length: number }, () =>
              notify
                .notify(assignments.errno === undefined ? { mainPid: pid++ } : assignments)
                .then(
                  () => count('sent'),
                  (error: NodeJS.ErrnoException) => count(String(error.code)),
                ),
            )
          // The manager names each of these in its log, for no process can have such a number.
          const waiting = send({}, kernelQueue + places)
          const refused = send({ errno: 1 }, 3)
          const states = send({}, placesOfStates - places)
          const refusedStates = send({}, 2)
          kept['all'] = Promise.all([...waiting, ...states]).then(() => {})
          // Its event loop is as quick as ever.
          await Promise.all([...refused, ...refusedStates])
          await new Promise((resolve) => setTimeout(resolve, 10))
          return outcomes
        },
        {
          firstPid: FIRST_PID,
          kernelQueue: KERNEL_QUEUE,
          places: OWN_QUEUE,
          placesOfStates: OWN_QUEUE_OF_STATES,
        },
      ),
    )
    expect(meanwhile).toEqual({ sent: KERNEL_QUEUE, ERR_NOTIFY_QUEUE_FULL: 5 })

    await main.run(({ kept }) => kept['all'])
    await main.run(({ notify }) => notify.status('after all that'))
    expect(await service.show('StatusText')).toEqual({ StatusText: 'after all that' })
    const count = KERNEL_QUEUE + OWN_QUEUE_OF_STATES
    await machine().waitForLog(`${FIRST_PID + count - 1}`)
    const arrived = (await machine().log()).match(/\b10\d{6}\b/g)
    expect(arrived).toEqual(Array.from({ length: count }, (_, i) => `${FIRST_PID + i}`))
  })

  test('the latest status takes the place of those that wait', async () => {
    const service = await RemoteService.write(machine(), 'latest')
    const main = await service.startReady()
    await whileManagerIsStopped(machine(), async () => {
      await fillKernelQueue(main)
      await main.run(async ({ notify, kept }) => {
        const superseded = [notify.status('first'), notify.status('second')]
        kept['latest'] = notify.status('latest')
        await Promise.all(superseded)
      })
    })
    await main.run(({ kept }) => kept['latest'])
    expect(await service.show('StatusText', 'StatusErrno')).toEqual({
      StatusText: 'latest',
      StatusErrno: `${KERNEL_QUEUE}`,
    })
  })

  test('what an abort withdraws is not sent', async () => {
    const service = await RemoteService.write(machine(), 'aborted')
    const main = await service.startReady()
    const reason = await whileManagerIsStopped(machine(), async () => {
      await fillKernelQueue(main)
      return main.run(async ({ notify, kept }) => {
        const controller = new AbortController()
        const withdrawn = notify.notify(
          { status: 'withdrawn', errno: 1 },
          { signal: controller.signal },
        )
        kept['next'] = notify.notify({ errno: 2 })
        controller.abort()
        return withdrawn.catch((error: Error) => error.name)
      })
    })
    expect(reason).toBe('AbortError')
    await main.run(({ kept }) => kept['next'])
    expect(await service.show('StatusText', 'StatusErrno')).toEqual({
      StatusText: '',
      StatusErrno: '2',
    })
  })

  test('process.exit() loses what waits, and nothing that was sent', async () => {
    const service = await RemoteService.write(machine(), 'exits')
    const main = await service.startReady()
    await whileManagerIsStopped(machine(), async () => {
      await fillKernelQueue(main)
      await main.runToTheEnd(({ notify }) => {
        void notify.notify({ status: 'too late', errno: 1 })
        process.exit(5)
      })
    })
    await service.waitFor({ ActiveState: 'failed', ExecMainStatus: '5' })
    expect(await service.show('StatusText', 'StatusErrno')).toEqual({
      StatusText: '',
      StatusErrno: `${KERNEL_QUEUE}`,
    })
  })

  test('notifySync() on the way out waits for the manager, after all that waits', async () => {
    const service = await RemoteService.write(machine(), 'waits-at-exit')
    const main = await service.startReady()
    await whileManagerIsStopped(machine(), async () => {
      await fillKernelQueue(main)
      await main.run(({ notify }) => {
        void notify.notify({ status: 'before', errno: 4 })
        process.on('exit', () => notify.notifySync({ status: 'last' }, { timeoutMs: 20_000 }))
        setImmediate(() => process.exit(5))
      })
      await delay(200)
    })
    await service.waitFor({ ActiveState: 'failed', ExecMainStatus: '5' })
    expect(await service.show('StatusText', 'StatusErrno')).toEqual({
      StatusText: 'last',
      StatusErrno: '4',
    })
  })

  test('a child that ends after its message is not found; with a barrier it is', async () => {
    const service = await RemoteService.write(machine(), 'short-lived', 'NotifyAccess=all')
    const main = await service.startReady()
    const hasty = await service.spawn(main, 'hasty')
    await whileManagerIsStopped(machine(), async () => {
      await hasty.run(({ notify }) => notify.status('of the hasty child'))
      await hasty.runToTheEnd(() => process.exit())
      // As long as its parent has not waited for it, it could still be found.
      const remains = machine().path(`/proc/${hasty.pid}`)
      await vi.waitFor(() => expect(existsSync(remains)).toBe(false), 10_000)
    })
    expect(await service.show('StatusText')).toEqual({ StatusText: '' })

    const patient = await service.spawn(main, 'patient')
    await whileManagerIsStopped(machine(), () =>
      patient.run(({ notify }) => {
        void notify.status('of the patient child')
        void notify.barrier().then(() => process.exit())
      }),
    )
    await patient.ended
    expect(await service.show('StatusText')).toEqual({ StatusText: 'of the patient child' })
  })

  test('a service that is alive outlives its watchdog', async () => {
    const service = await RemoteService.write(machine(), 'alive', 'WatchdogSec=500ms')
    const main = await service.startReady()
    await main.run(({ notify }) => void notify.watchdog())
    await whileManagerIsStopped(machine(), () => delay(1000))
    await service.waitFor({ ActiveState: 'active', MainPID: `${main.pid}` })
  })

  test('a barrier is answered only when the manager goes on', async () => {
    const service = await RemoteService.write(machine(), 'barrier')
    const main = await service.startReady()
    expect(await main.run(({ notify }) => notify.barrier())).toBe('passed')

    const code = await whileManagerIsStopped(machine(), () =>
      main.run(({ notify, kept }) => {
        kept['barrier'] = notify.barrier({ timeoutMs: 60_000 })
        return notify
          .barrier({ timeoutMs: 300 })
          .catch((error: NodeJS.ErrnoException) => error.code)
      }),
    )
    expect(code).toBe('ERR_NOTIFY_TIMEOUT')
    expect(await main.run(({ kept }) => kept['barrier'])).toBe('passed')
    // As it would if it had closed the descriptor only because it did not know what to do with it.
    expect(await machine().log()).not.toContain('Got extra auxiliary fds')
  })

  test('BARRIER=1 with a pipe of our own: it hangs up when the manager goes on', async () => {
    const service = await RemoteService.write(machine(), 'own-barrier')
    const main = await service.startReady()
    await whileManagerIsStopped(machine(), async () => {
      const hungUp = await main.run(async ({ notify, syscalls, kept }) => {
        const { readFd, writeFd } = syscalls.pipe()
        await notify.notify({ barrier: true }, { fds: [writeFd] })
        syscalls.closeFd(writeFd)
        const hangup = new Promise<string>((resolve) => {
          const watcher = new syscalls.FdWatcher(readFd, () => {
            watcher.close()
            resolve('hung up')
          })
          watcher.arm('hangup')
        })
        kept['hangup'] = hangup
        const later = new Promise((resolve) => setTimeout(resolve, 100, 'nothing'))
        return Promise.race([hangup, later])
      })
      expect(hungUp).toBe('nothing')
    })
    expect(await main.run(({ kept }) => kept['hangup'])).toBe('hung up')
  })
})

const FIRST_PID = 10_000_000

/** The last one of the messages with which it does that says ERRNO=513. */
async function fillKernelQueue(main: RemoteProcess): Promise<void> {
  await main.run(async ({ notify }, count) => {
    for (let errno = 1; errno <= count; errno++) await notify.notify({ errno })
  }, KERNEL_QUEUE)
}
