import { spawn } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import {
  closeFd,
  closeForeignFds,
  DatagramSocket,
  kindOfFd,
  monotonicUsec,
  pidfdId,
  pidfdOpen,
  pidfdPid,
} from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import type { NotifyProxyOptions } from '../src/index.js'
import { Bench, until } from './proxy/bench.js'
import { openFds, untilOpen } from './proxy/open-fds.js'
import { program, Program } from './proxy/program.js'

/** A payload behind some namespaces, and what it is called out here. */
class Container {
  readonly bench: Bench
  readonly program: Program
  #sent = 0
  /** Of its first process. */
  pid = 0

  constructor(namespaces: string[], options: Partial<NotifyProxyOptions> = {}) {
    this.bench = new Bench({ init: () => this.pid || undefined, ...options })
    const payload = [PYTHON, program('payload.py'), this.bench.path]
    this.program = new Program('unshare', ...namespaces, '--fork', '--kill-child', ...payload)
  }

  async start(): Promise<this> {
    await this.program.line(0)
    this.pid = childrenOf(this.program.pid)[0]!
    return this
  }

  /** The process that it started itself. */
  get child(): number {
    return childrenOf(this.pid)[0]!
  }

  async send(line: string): Promise<void> {
    this.program.tell(line)
    await this.program.line(++this.#sent)
  }
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.trim().split(' ').map(Number)
}

function idOf(pid: number): bigint | undefined {
  const pidfd = pidfdOpen(pid)
  onTestFinished(() => closeFd(pidfd))
  return pidfdId(pidfd)
}

/** A process of nobody's container. */
function stranger(): number {
  const child = spawn('sleep', ['100'])
  onTestFinished(() => void child.kill('SIGKILL'))
  return child.pid!
}

const canUnshare =
  isRoot() && works('unshare', '--pid', '--fork', 'true') && works(PYTHON, '-c', '')
describe.runIf(canUnshare)('with a payload in a pid namespace of its own', () => {
  const start = (options: Partial<NotifyProxyOptions> = {}): Promise<Container> =>
    new Container(['--pid'], { mainPid: true, ...options }).start()

  test('MAINPID is translated, and told which process that is', async () => {
    const container = await start()
    await container.send('MAINPID={child}\\nREADY=1')
    await container.send('MAINPID=1')
    const { child, pid } = container
    expect(await container.bench.said()).toEqual([
      { mainPid: child, mainPidFdId: idOf(child), ready: true },
      { mainPid: pid, mainPidFdId: idOf(pid) },
    ])
    expect(container.bench.drops).toEqual([])
  })

  test('without the option, the line goes and the rest stays', async () => {
    const container = await start({ mainPid: false })
    await container.send('MAINPID={child}\\nREADY=1')
    await container.send('pidfd MAINPIDFD=1\\nSTATUS=s')
    expect(await container.bench.said()).toEqual([{ ready: true }, { status: 's' }])
    expect(container.bench.reasons).toEqual(['MAINPID: not-allowed', 'MAINPIDFD: not-allowed'])
  })

  test('MAINPID of no process', async () => {
    const container = await start()
    await container.send('MAINPID=99999\\nREADY=1')
    expect(await container.bench.said()).toEqual([{ ready: true }])
    expect(container.bench.reasons).toEqual(['MAINPID: no-process'])
  })

  test('MAINPIDFDID of another process', async () => {
    const container = await start()
    await container.send(`MAINPID={child}\\nMAINPIDFDID=${idOf(process.pid)}\\nREADY=1`)
    await container.send(`MAINPID={child}\\nMAINPIDFDID=${idOf(container.child)}`)
    const { child } = container
    expect(await container.bench.said()).toEqual([
      { ready: true },
      { mainPid: child, mainPidFdId: idOf(child) },
    ])
    expect(container.bench.reasons).toEqual(['MAINPID: pidfd-id-mismatch'])
  })

  test('MAINPIDFD with a pidfd of the container’s', async () => {
    const container = await start()
    await container.send('pidfd MAINPIDFD=1\\nREADY=1')
    expect(await container.bench.said()).toEqual([{ mainPidFd: true, ready: true }])
    expect(container.bench.fds.map(pidfdPid)).toEqual([container.child])
  })

  test('MAINPIDFD with what is no pidfd, with none, and with one to store', async () => {
    const container = await start({ store: { prefix: 'a.', limit: 9 } })
    await container.send('file MAINPIDFD=1\\nERRNO=1')
    await container.send('MAINPIDFD=1\\nERRNO=2')
    await container.send('pidfd MAINPIDFD=1\\nFDSTORE=1')
    expect(await container.bench.said()).toEqual([{ errno: 1 }, { errno: 2 }, { mainPidFd: true }])
    expect(container.bench.reasons).toEqual([
      'MAINPIDFD: not-a-pidfd',
      'MAINPIDFD: no-descriptor',
      'FDSTORE: no-descriptor',
    ])
    expect(container.bench.fds.map(kindOfFd)).toEqual(['pidfd'])
  })

  test('a sender outside of it: its own numbers, and none of these is the container’s', async () => {
    const container = await start()
    const pid = stranger()
    const pidfd = pidfdOpen(pid)
    await container.bench.send(`MAINPID=${pid}\nREADY=1`)
    await container.bench.send(`MAINPID=${process.pid}`)
    await container.bench.send('MAINPIDFD=1\nSTATUS=s', [pidfd])
    await container.bench.send(`MAINPID=${container.child}`)
    closeFd(pidfd)
    expect(await container.bench.said()).toEqual([
      { ready: true },
      { status: 's' },
      { mainPid: container.child, mainPidFdId: idOf(container.child) },
    ])
    expect(container.bench.reasons).toEqual([
      'MAINPID: not-in-container',
      'MAINPID: not-in-container',
      'nothing-left',
      'MAINPIDFD: not-in-container',
    ])
  })

  test('a sender that has ended: nobody can tell any more what its numbers meant', async () => {
    const container = new Container(['--pid'], { mainPid: true, init: () => known })
    let known: number | undefined
    await container.start()
    // It waits here until the first process is known, and the sender is gone by then.
    await container.send('fork MAINPID={child}\\nREADY=1')
    await until(() => container.bench.proxy.counters.waiting === 1)
    known = container.pid
    expect(await container.bench.said()).toEqual([{ ready: true }])
    expect(container.bench.reasons).toEqual(['MAINPID: no-process'])
  })

  test('no descriptor stays open', async () => {
    const container = await start()
    await container.send('pidfd MAINPIDFD=1')
    await container.bench.said()
    for (const fd of container.bench.fds.splice(0)) closeFd(fd)
    const before = openFds().length
    for (let round = 0; round < 50; round++) {
      await container.send('MAINPID={child}')
      await container.send('pidfd MAINPIDFD=1')
      await container.send('file MAINPIDFD=1')
      await container.send('MAINPID=99999')
      await container.bench.said()
      closeForeignFds(container.bench.fds.splice(0))
    }
    await untilOpen(before)
  })
})

describe.runIf(canUnshare)('with a payload in a pid namespace below the container’s', () => {
  test('its numbers are its own namespace’s', async () => {
    const inner = ['--pid', '--fork', '--kill-child', 'unshare', '--pid']
    const container = await new Container(inner, { mainPid: true }).start()
    const innerPayload = childrenOf(container.pid)[0]!
    await container.send('MAINPID=1\\nREADY=1')
    expect(await container.bench.said()).toEqual([
      { mainPid: innerPayload, mainPidFdId: idOf(innerPayload), ready: true },
    ])
  })
})

describe.runIf(canUnshare)('with a payload in our own pid namespace', () => {
  test('its first process alone is accepted: nothing tells the others from the host’s', async () => {
    const container = await new Container(['--mount'], { mainPid: true }).start()
    const { child, pid } = container
    await container.send(`MAINPID=${child}\\nERRNO=1`)
    await container.send(`MAINPID=${pid}`)
    await container.send('pidfd MAINPIDFD=1\\nERRNO=2')
    expect(await container.bench.said()).toEqual([
      { errno: 1 },
      { mainPid: pid, mainPidFdId: idOf(pid) },
      { errno: 2 },
    ])
    expect(container.bench.reasons).toEqual([
      'MAINPID: not-in-container',
      'MAINPIDFD: not-in-container',
    ])
  })
})

const canUnshareTime =
  canUnshare && works('unshare', '--time', '--monotonic', '1', '--fork', 'true')
describe.runIf(canUnshareTime)('with a payload in a time namespace of its own', () => {
  const startAt = (monotonic: string): Promise<Container> =>
    new Container(['--time', '--monotonic', monotonic]).start()

  test.each(['100000', '-100'])('MONOTONIC_USEC is put right: %s seconds', async (offset) => {
    const container = await startAt(offset)
    const before = BigInt(monotonicUsec())
    await container.send('RELOADING=1\\nMONOTONIC_USEC={now}')
    const after = BigInt(monotonicUsec())
    const [said] = (await container.bench.said()) as { reloading: true; monotonicUsec: bigint }[]
    expect(said!.reloading).toBe(true)
    expect(said!.monotonicUsec).toBeGreaterThanOrEqual(before)
    expect(said!.monotonicUsec).toBeLessThanOrEqual(after)
  })

  test('a sender that has ended: the container’s first process tells', async () => {
    const container = await startAt('100000')
    const before = BigInt(monotonicUsec())
    await container.send('fork RELOADING=1\\nMONOTONIC_USEC={now}')
    await until(() => container.bench.notifications.length === 1)
    const { monotonicUsec: usec } = container.bench.notifications[0]!.assignments
    expect(usec).toBeGreaterThanOrEqual(before)
    expect(usec).toBeLessThanOrEqual(BigInt(monotonicUsec()))
  })
})

const UNPRIVILEGED = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const
const canBecomeNobody = canUnshareTime && works(...UNPRIVILEGED, process.execPath, '--version')
describe.runIf(canBecomeNobody)(
  'a bridge without privileges, and a payload of another user',
  () => {
    test('what cannot be translated: MAINPID is left out, MONOTONIC_USEC goes unchanged', async () => {
      const outer = new Bench({ upstream: undefined })
      chmodSync(outer.directory, 0o777)
      outer.startManager()
      chmodSync(outer.managerPath, 0o777)
      const path = `${outer.directory}/inner.sock`
      const sleeper = new Program(
        'unshare',
        '--pid',
        '--time',
        '--monotonic',
        '77',
        '--fork',
        'cat',
      )
      await until(() => childrenOf(sleeper.pid)[0]! > 0)
      const init = childrenOf(sleeper.pid)[0]!
      const bridge = [process.execPath, program('run-proxy.mjs'), path, outer.managerPath]
      const proxy = new Program(...UNPRIVILEGED, ...bridge, `${init}`)
      await proxy.says('bound')
      const payload = new DatagramSocket('unix')
      onTestFinished(() => payload.close())
      payload.connect({ family: 'unix', path })
      const credentials = { pid: init, uid: 0, gid: 0 }
      payload.trySend(Buffer.from('MAINPID=1\nREADY=1'), { credentials })
      payload.trySend(Buffer.from('RELOADING=1\nMONOTONIC_USEC=5'), { credentials })
      await until(() => outer.notifications.length === 2)
      expect(outer.notifications.map(({ assignments }) => assignments)).toEqual([
        { ready: true },
        { reloading: true, monotonicUsec: 5n },
      ])
      expect(await proxy.line(1)).toMatch(/^MAINPID: namespace-unreadable: .*EACCES/)
    })
  },
)
