import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { inside } from '../repository.js'
import type { DaemonHost } from './daemon-host.js'

/** Half of them wait in the kernel where there is no room, half come again later. */
const MODES = ['blocking', 'polling']

/** Programs that send numbered messages as many containers do, round by round. */
export class NumberedSenders {
  readonly #programs: { child: ChildProcessWithoutNullStreams; lines: AsyncIterator<string> }[]
  /** How many messages each container has sent. */
  rounds = 0
  #isGoingOn = false
  #going: Promise<void> | undefined

  /** @param count Of containers, which are called `n0`, `n1` and so on. */
  constructor(host: DaemonHost, count: number) {
    const part = count / MODES.length
    this.#programs = MODES.map((mode, index) => {
      const words = [host.socketOf('n{}'), `${index * part}`, `${(index + 1) * part - 1}`, mode]
      const script = inside('test/system/daemon/send-rounds.py')
      const child = host.machine.spawn('python3', [script, ...words])
      child.stderr.pipe(process.stderr)
      return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
    })
  }

  /** Has each container send one message, and waits until all are sent. */
  async send(): Promise<void> {
    this.rounds++
    await Promise.all(
      this.#programs.map(async ({ child, lines }) => {
        child.stdin.write('\n')
        const { value } = await lines.next()
        if (value !== `${this.rounds}`) throw new Error(`a sender has ended: ${value}`)
      }),
    )
  }

  /** Goes on sending while something happens. */
  async during(action: () => Promise<unknown>): Promise<void> {
    this.#isGoingOn = true
    this.#going = this.#goOn()
    try {
      await action()
    } finally {
      this.#isGoingOn = false
      await this.#going
    }
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#programs.map(async ({ child }) => {
        const exit = once(child, 'exit')
        child.stdin.end()
        await exit
      }),
    )
  }

  async #goOn(): Promise<void> {
    while (this.#isGoingOn) {
      await this.send()
      // More than the service manager takes meanwhile would only be the longer on its way.
      await delay(200)
    }
  }
}
