import { existsSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  closeFd,
  closeForeignFds,
  FdWatcher,
  getFileLimit,
  pipe,
  setFileLimit,
} from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON } from '../../../test/support/real-program.js'
import { AllowList } from '../src/daemon/allow-list.js'
import { notifySocketOf } from '../src/daemon/places.js'
import { DaemonBench, MainProcess } from './daemon/daemon-bench.js'
import { until } from './proxy/bench.js'
import { openFds, untilOpen } from './proxy/open-fds.js'
import { program, Program } from './proxy/program.js'
import { RawManager } from './proxy/raw-manager.js'

// Nobody else may speak in another process' name.
describe.skipIf(!isRoot())('containers of the daemon', () => {
  test('speak in the name of their unit’s main process', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const main = new MainProcess()
    const payload = await bench.register('web', main.facts())
    for (const text of ['READY=1\nSTATUS=up', 'MAINPID=1\nERRNO=2', 'WATCHDOG=1\n'])
      await payload.send(text)
    const messages = await manager.until(3)
    expect(manager.texts).toEqual(['READY=1\nSTATUS=up', 'ERRNO=2', 'WATCHDOG=1'])
    expect(messages.map(({ sender }) => sender)).toEqual(
      messages.map(() => ({ pid: main.pid, uid: 0, gid: 0 })),
    )
    const [status] = bench.containers.list()
    expect(status).toMatchObject({
      ...{ name: 'web', unit: 'web.service', mainPid: main.pid, state: 'ready', status: 'up' },
      ...{ received: 3, forwarded: 3, waiting: 0, droppedFields: { 'not-allowed': 1 } },
    })
    expect(status!.pingedAt).toBeGreaterThan(0)
    expect(bench.eventNames).toEqual(['registered', 'ready', 'dropped'])
  })

  test('what is longer than systemd reads is shortened', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const payload = await bench.register('web', new MainProcess().facts())
    await payload.send(`READY=1\nSTATUS=${'x'.repeat(5000)}`)
    const [message] = await manager.until(1)
    expect(message!.data.length).toBeLessThanOrEqual(4096)
    expect(manager.texts[0]).toMatch(/^READY=1\nSTATUS=x+…$/)
  })

  test.each(['MAINPID=1', 'MAINPIDFD=1', 'MAINPIDFDID=1', 'NOTIFYACCESS=all'])(
    'never say %s',
    async (line) => {
      const manager = new RawManager()
      const bench = new DaemonBench(manager.path)
      const payload = await bench.register('web', new MainProcess().facts())
      await payload.send(line)
      await payload.send('STATUS=after')
      await manager.until(1)
      expect(manager.texts).toEqual(['STATUS=after'])
    },
  )

  test('what the manager has no room for stays in the kernel, in order', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const payload = await bench.register('web', new MainProcess().facts())
    manager.receiver.pause()
    let sent = 0
    let refused = 0
    while (refused < 20) {
      if (payload.trySend(`STATUS=${sent}`)) sent++
      else refused++
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    // The payload would have to wait: its socket's queue is full, and one message is in hand, which is there, too.
    const [status] = bench.containers.list()
    expect(status!.waiting).toBe(1)
    expect(sent - status!.forwarded).toBeGreaterThan(1)
    manager.receiver.resume()
    await manager.until(sent)
    expect(manager.texts).toEqual(Array.from({ length: sent }, (_, n) => `STATUS=${n}`))
  })

  test('while the manager is gone they wait, and go on when it is back', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const payload = await bench.register('web', new MainProcess().facts())
    await payload.send('STATUS=0')
    await manager.until(1)
    manager.close()
    for (const text of ['STATUS=1', 'STATUS=2']) await payload.send(text)
    await until(() => bench.containers.list()[0]!.waiting === 1)
    unlinkSync(manager.path)
    const next = new RawManager(manager.path)
    await next.until(2)
    expect(next.texts).toEqual(['STATUS=1', 'STATUS=2'])
  })

  test('a container whose manager is full holds up no other for longer than the manager does', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const main = new MainProcess()
    const payloads = await Promise.all(
      Array.from({ length: 20 }, (_, n) => bench.register(`c${n}`, main.facts())),
    )
    manager.receiver.pause()
    // Fewer than a queue of any length holds.
    for (const payload of payloads) for (let n = 0; n < 5; n++) await payload.send(`X_N=${n}`)
    manager.receiver.resume()
    await manager.until(100)
    expect(bench.containers.list().map(({ forwarded }) => forwarded)).toEqual(payloads.map(() => 5))
  })

  test('a barrier is acknowledged when the manager has read all, and holds up its own container alone', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const main = new MainProcess()
    const [one, other] = [
      await bench.register('one', main.facts()),
      await bench.register('other', main.facts()),
    ]
    const theirs = pipe()
    await one.send('STATUS=before')
    await one.send('BARRIER=1', [theirs.writeFd])
    closeFd(theirs.writeFd)
    await one.send('STATUS=after')
    await manager.until(2)
    expect(manager.texts).toEqual(['STATUS=before', 'BARRIER=1'])
    await other.send('STATUS=other')
    await manager.until(3)
    let isAcknowledged = false
    const watcher = new FdWatcher(theirs.readFd, () => (isAcknowledged = true))
    watcher.arm('hangup')
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(isAcknowledged).toBe(false)
    closeForeignFds(manager.messages[1]!.fds.splice(0))
    await until(() => isAcknowledged)
    await manager.until(4)
    expect(manager.texts.at(-1)).toBe('STATUS=after')
    watcher.close()
    closeFd(theirs.readFd)
  })

  test('descriptors go to the store under a name of the container’s, and none is left here', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const payload = await bench.register('web', new MainProcess().facts())
    await payload.send('STATUS=before')
    await manager.until(1)
    const before = openFds().length
    const { readFd, writeFd } = pipe()
    await payload.send('FDSTORE=1\nFDNAME=state', [readFd])
    closeFd(readFd)
    closeFd(writeFd)
    // The manager is asked to have read it before the daemon closes its own.
    const [, stored] = await manager.until(3)
    expect(manager.texts.slice(1)).toEqual(['FDSTORE=1\nFDNAME=sdbridge.state', 'BARRIER=1'])
    expect(stored!.fds).toHaveLength(1)
    closeForeignFds(manager.messages.flatMap(({ fds }) => fds.splice(0)))
    await untilOpen(before)
    await payload.send('STATUS=after')
    await manager.until(4)
  })

  test('what comes with descriptors waits while there is little room for them, and nothing is lost', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const main = new MainProcess()
    const payload = await bench.register('web', main.facts())
    const other = await bench.register('other', main.facts())
    const limit = getFileLimit()
    onTestFinished(() => setFileLimit(limit))
    const { readFd, writeFd } = pipe()
    setFileLimit({ soft: openFds().length + 40, hard: limit.hard })
    const many = Array.from({ length: 80 }, () => readFd)
    await payload.send('FDSTORE=1\nFDNAME=many', many)
    await payload.send('STATUS=after')
    await other.send('STATUS=other')
    await manager.until(1)
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(manager.texts).toEqual(['STATUS=other'])
    setFileLimit(limit)
    const [, stored] = await manager.until(3)
    expect(stored!.fds).toHaveLength(80)
    closeForeignFds(manager.messages.flatMap(({ fds }) => fds.splice(0)))
    await manager.until(4)
    expect(manager.texts.at(-1)).toBe('STATUS=after')
    expect(bench.containers.list().map(({ droppedFields }) => droppedFields)).toEqual([{}, {}])
    closeFd(readFd)
    closeFd(writeFd)
  })

  test.each(['BARRIER=1', 'STATUS=x', 'FDSTORE=1', 'nonsense'])(
    'a descriptor whose close blocks for minutes stops nothing: %s',
    async (message) => {
      const manager = new RawManager()
      const bench = new DaemonBench(manager.path)
      const payload = await bench.register('web', new MainProcess().facts())
      // It holds up what follows until the peer has closed its own: only the last close is slow.
      const gate = pipe()
      await payload.send('BARRIER=1', [gate.writeFd])
      closeFd(gate.readFd)
      closeFd(gate.writeFd)
      const peer = new Program(
        PYTHON,
        program('linger-barrier.py'),
        notifySocketOf('web', bench.places),
        message,
      )
      await peer.says('sent')
      // The manager acknowledges, and nobody reads what the close waits for.
      const acknowledging = setInterval(() => {
        for (const { fds } of manager.messages) closeForeignFds(fds.splice(0))
      }, 1)
      for (let errno = 1; errno <= 20; errno++) await payload.send(`ERRNO=${errno}`)
      await until(() => manager.texts.includes('ERRNO=20'))
      clearInterval(acknowledging)
      peer.tell()
      await peer.says('end')
    },
  )

  test('a unit without a store is spared the descriptors', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const payload = await bench.register('web', { ...new MainProcess().facts(), hasStore: false })
    const { readFd, writeFd } = pipe()
    await payload.send('FDSTORE=1\nSTATUS=x', [readFd])
    closeFd(readFd)
    closeFd(writeFd)
    const [message] = await manager.until(1)
    expect([message!.data.toString(), message!.fds.length]).toEqual(['STATUS=x', 0])
    expect(bench.events.at(-1)).toMatchObject({ event: 'status', text: 'x' })
    expect(bench.containers.list()[0]!.droppedFields).toEqual({ 'no-store': 1 })
  })

  test('when the unit’s main process has ended, its containers are forgotten', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const main = new MainProcess()
    await bench.register('web', main.facts(), { isRemoved: true })
    const path = notifySocketOf('web', bench.places)
    expect(statSync(path).mode & 0o777).toBe(0o777)
    await main.end()
    await until(() => bench.containers.size === 0)
    expect(bench.eventNames).toEqual(['registered', 'unit-ended', 'unregistered'])
    expect(bench.removed).toEqual(['web.service'])
    expect(existsSync(path)).toBe(false)
    expect(existsSync(join(bench.places.runtime, 'containers/web.json'))).toBe(false)
  })

  test('what a container said last still goes on when it is unregistered', async () => {
    const manager = new RawManager()
    const bench = new DaemonBench(manager.path)
    const payload = await bench.register('web', new MainProcess().facts())
    for (let n = 0; n < 5; n++) await payload.send(`STATUS=${n}`)
    expect(bench.containers.unregister('web', 'another')).toBe(false)
    expect(bench.containers.unregister('web', 'id-web')).toBe(true)
    await until(() => bench.containers.size === 0)
    await manager.until(5)
    expect(bench.events.at(-1)!.text).toBe(
      'the container has ended; 5 messages received, 5 forwarded',
    )
  })

  test('a name belongs to one container until it or its unit has ended', async () => {
    const bench = new DaemonBench(new RawManager().path)
    const main = new MainProcess()
    const other = { container: { id: 'other', engine: 'crun' } }
    await bench.register('web', main.facts())
    await bench.register('web', main.facts())
    await expect(bench.register('web', main.facts(), other)).rejects.toThrow(
      'web is the runc container id-web of web.service, which has not ended',
    )
    await bench.register('web', { ...main.facts(), invocation: 'the next' }, other)
    expect(bench.containers.list()[0]!.container.id).toBe('other')
    const inContainer = new MainProcess()
    const third = { container: { id: 'third', engine: 'crun', pid: inContainer.pid } }
    await bench.register('third', main.facts(), third)
    await expect(bench.register('third', main.facts(), other)).rejects.toThrow('has not ended')
    await inContainer.end()
    await bench.register('third', main.facts(), other)
  })

  test('a process that has the number of a main process that was is not spoken for', async () => {
    const bench = new DaemonBench(new RawManager().path)
    const main = new MainProcess()
    await expect(bench.register('web', { ...main.facts(), cgroup: '/elsewhere' })).rejects.toThrow(
      'expected /elsewhere',
    )
    const facts = main.facts()
    await main.end()
    await expect(bench.register('web', facts)).rejects.toThrow('ESRCH')
  })

  test('what cannot be registered after all leaves nothing in the store', async () => {
    const bench = new DaemonBench(new RawManager().path, { storeLimit: 3 })
    const [main, inContainer] = [new MainProcess(), new MainProcess()]
    const container = { id: 'x', engine: 'runc', pid: inContainer.pid }
    await inContainer.end()
    await expect(bench.register('web', main.facts(), { container })).rejects.toThrow('ENOENT')
    expect([bench.store.size, bench.containers.size]).toEqual([0, 0])
    await bench.register('web', main.facts())
    expect([bench.store.size, bench.containers.size]).toEqual([1, 1])
  })

  test('what is not on the list any more is let go of', async () => {
    const bench = new DaemonBench(new RawManager().path)
    const main = new MainProcess()
    await bench.register('one', main.facts('one.service'))
    await bench.register('two', main.facts('two.service'))
    bench.containers.review(new AllowList('two.service'))
    expect(bench.containers.list().map(({ name }) => name)).toEqual(['two'])
    expect(bench.events.at(-1)!.text).toContain('one.service is not on the list any more')
  })

  describe('the next run of the daemon', () => {
    test('knows the containers, and what they have said', async () => {
      const manager = new RawManager()
      const first = new DaemonBench(manager.path)
      const main = new MainProcess()
      const payload = await first.register('web', main.facts())
      await payload.send('READY=1\nSTATUS=up')
      await payload.send('nonsense')
      await until(() => first.containers.list()[0]!.received === 2)
      const before = first.containers.list()
      first.close()
      const next = new DaemonBench(manager.path, { places: first.places })
      await next.containers.restore(new Map())
      expect(next.containers.list()).toEqual(before)
      expect(next.told).toEqual([])
    })

    test('leaves alone a process that has another’s number', async () => {
      const manager = new RawManager()
      const first = new DaemonBench(manager.path)
      await first.register('web', new MainProcess().facts(), { isRemoved: true })
      first.close()
      const file = join(first.places.runtime, 'containers/web.json')
      const registration = JSON.parse(readFileSync(file, 'utf8'))
      registration.mainProcess.startTicks = '1'
      writeFileSync(file, JSON.stringify(registration))
      const next = new DaemonBench(manager.path, { places: first.places })
      await next.containers.restore(new Map())
      expect(next.containers.size).toBe(0)
      expect(next.told).toEqual([
        expect.stringMatching(
          /^the container web is not bridged any more: process \d+ is not the one/,
        ),
      ])
      expect(next.removed).toEqual(['web.service'])
      expect(existsSync(file)).toBe(false)
    })

    test('reads on where a registration cannot be read', async () => {
      const manager = new RawManager()
      const first = new DaemonBench(manager.path)
      await first.register('web', new MainProcess().facts())
      first.close()
      writeFileSync(join(first.places.runtime, 'containers/half.json'), '{"version":1,')
      const next = new DaemonBench(manager.path, { places: first.places })
      await next.containers.restore(new Map())
      expect(next.containers.list().map(({ name }) => name)).toEqual(['web'])
      expect(next.told).toEqual([expect.stringContaining('half.json cannot be read')])
    })

    test('ends what was about to end', async () => {
      const manager = new RawManager()
      const first = new DaemonBench(manager.path)
      const payload = await first.register('web', new MainProcess().facts())
      manager.receiver.pause()
      while (payload.trySend('STATUS=x')) await new Promise((resolve) => setTimeout(resolve, 1))
      first.containers.unregister('web', 'id-web')
      expect(first.containers.list()[0]!.state).toBe('ending')
      first.close()
      manager.receiver.resume()
      const next = new DaemonBench(manager.path, { places: first.places })
      await next.containers.restore(new Map())
      await until(() => next.containers.size === 0)
    })
  })
})
