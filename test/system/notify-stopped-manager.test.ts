import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { describeOnEachSystemd } from './machines.js'
import type { RemoteProcess } from './remote/remote-process.js'
import { RemoteService } from './remote/remote-service.js'
import { whileManagerIsStopped } from './remote/stopped-manager.js'

/** What the kernel keeps of what the service manager has not read: net.unix.max_dgram_qlen is 512 under systemd. */
const KERNEL_QUEUE = 513
const OWN_QUEUE = 512

describeOnEachSystemd('while the service manager is stopped', (machine) => {
  test('messages wait, in order, and too many are refused; the service goes on', async () => {
    const service = await RemoteService.write(machine(), 'queue')
    const main = await service.startReady()
    const count = KERNEL_QUEUE + OWN_QUEUE
    const meanwhile = await whileManagerIsStopped(machine(), () =>
      // The manager names each of these in its log, for no process can have such a number.
      main.run(
        async ({ notify, kept }, { first, number }) => {
          const outcomes: unknown[] = []
          const send = (mainPid: number) =>
            notify.notify({ mainPid }).then(
              (sent) => outcomes.push(sent),
              (error: NodeJS.ErrnoException) => outcomes.push(error.code),
            )
          kept['all'] = Promise.all(Array.from({ length: number }, (_, i) => send(first + i)))
          await new Promise((resolve) => setTimeout(resolve, 100))
          return outcomes
        },
        { first: FIRST_PID, number: count + 3 },
      ),
    )
    expect(meanwhile.filter((outcome) => outcome === true)).toHaveLength(KERNEL_QUEUE)
    expect(meanwhile.slice(KERNEL_QUEUE)).toEqual(Array(3).fill('ERR_NOTIFY_QUEUE_FULL'))

    await main.run(({ kept }) => kept['all'].then(() => {}))
    await main.run(({ notify }) => notify.status('after all that'))
    expect(await service.show('StatusText')).toEqual({ StatusText: 'after all that' })
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
    await sendBarrier(main)
    await main.run(({ kept }) => kept['answer'])

    await whileManagerIsStopped(machine(), async () => {
      await sendBarrier(main)
      const first = await main.run(({ kept }) => {
        const later = new Promise((resolve) => setTimeout(resolve, 300, 'nothing'))
        return Promise.race([kept['answer'], later])
      })
      expect(first).toBe('nothing')
    })
    await main.run(({ kept }) => kept['answer'])
  })
})

const FIRST_PID = 10_000_000

/** The last one of the messages with which it does that says ERRNO=513. */
async function fillKernelQueue(main: RemoteProcess): Promise<void> {
  await main.run(async ({ notify }, count) => {
    for (let errno = 1; errno <= count; errno++) await notify.notify({ errno })
  }, KERNEL_QUEUE)
}

/** `kept.answer` is there when the manager has closed the descriptor. */
async function sendBarrier(main: RemoteProcess): Promise<void> {
  await main.run(async ({ notify, syscalls, kept }) => {
    const { readFd, writeFd } = syscalls.pipe()
    await notify.notify({ barrier: true }, { fds: [writeFd] })
    syscalls.closeFd(writeFd)
    kept['answer'] = new Promise<string>((resolve) => {
      const watcher = new syscalls.FdWatcher(readFd, ({ hangup }) => {
        watcher.close()
        if (hangup) resolve('answered')
      })
      watcher.arm('hangup')
    })
  })
}
