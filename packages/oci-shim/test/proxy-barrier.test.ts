import { closeSync, openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { closeForeignFds } from '@sdbridge/syscalls'
import { describe, expect, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { Bench, until } from './proxy/bench.js'
import { linkOf, openFds } from './proxy/open-fds.js'
import { program, Program } from './proxy/program.js'
import { RawManager } from './proxy/raw-manager.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

test.each(['directory', 'pipe'])(
  'in place of a %s, a pipe of ours goes up; theirs is closed when the manager closes ours',
  async (kind) => {
    const manager = new RawManager()
    const bench = new Bench({ upstream: manager.path })
    const theirPipe = new TestPipe()
    const theirs = kind === 'pipe' ? theirPipe.writeFd : openSync(bench.directory, 'r')
    const link = linkOf(theirs)
    const copies = (): number => openFds().filter((open) => open.endsWith(link)).length
    await bench.send('BARRIER=1', [theirs])
    if (kind === 'pipe') theirPipe.closeWrite()
    else closeSync(theirs)
    const [barrier] = await manager.until(1)
    expect(barrier!.data.toString()).toBe('BARRIER=1')
    const [ours] = barrier!.fds.map(linkOf)
    expect(ours).toMatch(/^pipe:/)
    expect(ours).not.toBe(link)
    expect(bench.proxy.counters).toMatchObject({ forwarded: 1, barriers: 1, waiting: 0 })
    await delay(30)
    // Of a pipe, the test has the other end.
    const others = kind === 'pipe' ? 1 : 0
    expect(copies()).toBe(1 + others)

    closeForeignFds(barrier!.fds.splice(0))
    await until(() => copies() === others)
    expect(openFds().filter((open) => open.endsWith(ours!))).toEqual([])
  },
)

test('close() lets go of barriers that the manager has not released', async () => {
  const manager = new RawManager()
  const bench = new Bench({ upstream: manager.path })
  const theirs = openSync(bench.directory, 'r')
  await bench.send('BARRIER=1', [theirs])
  closeSync(theirs)
  await manager.until(1)
  bench.proxy.close()
  await until(() => !openFds().some((open) => open.endsWith(bench.directory)))
})

test('a payload that does not wait for its barriers cannot use up all descriptors', async () => {
  const manager = new RawManager()
  const bench = new Bench({ upstream: manager.path })
  const theirs = openSync('/dev/null', 'r')
  const before = openFds().length
  for (let idle = 0; idle < 100;) {
    if (bench.trySend('BARRIER=1', [theirs])) idle = 0
    else {
      idle++
      await delay(1)
    }
  }
  // Two for each here, and one with the manager of this process.
  expect(manager.messages.length).toBeLessThanOrEqual(256 + 64)
  expect(openFds().length).toBeLessThan(before + 3 * (256 + 64 + 10))

  // It goes on when some are released.
  const count = manager.messages.length
  closeForeignFds(manager.messages.flatMap(({ fds }) => fds.splice(0)))
  await manager.until(count + 1)
  closeSync(theirs)
})

test('a barrier of a sender that may not speak is for the manager all the same', async () => {
  const bench = new Bench({ senders: [4_000_000] })
  const barrier = new TestPipe()
  await bench.send('READY=1')
  await bench.send('BARRIER=1', [barrier.writeFd])
  barrier.closeWrite()
  await barrier.released()
  expect(bench.reasons).toEqual(['sender-refused'])
  expect(bench.proxy.counters).toMatchObject({ received: 2, barriers: 1 })
})

test('where there is no manager, there is nothing to wait for', async () => {
  const bench = new Bench({ upstream: undefined })
  const barrier = new TestPipe()
  await bench.send('READY=1')
  await bench.send('BARRIER=1', [barrier.writeFd])
  barrier.closeWrite()
  await barrier.released()
  expect(bench.reasons).toEqual(['no-manager', 'no-manager'])
  await bench.proxy.idle()
  expect(bench.proxy.counters).toMatchObject({
    ...{ received: 2, forwarded: 0 },
    droppedMessages: { 'no-manager': 2 },
  })
})

describe.runIf(works(PYTHON, '-c', ''))('with another process', () => {
  test('a descriptor whose close blocks for minutes stops nothing', async () => {
    const manager = new RawManager()
    const bench = new Bench({ upstream: manager.path })
    const peer = new Program(PYTHON, program('linger-barrier.py'), bench.path)
    await peer.says('sent')
    const [barrier] = await manager.until(1)
    expect(linkOf(barrier!.fds[0]!)).toMatch(/^pipe:/)
    // The manager releases it, and nobody reads what the close waits for.
    closeForeignFds(barrier!.fds.splice(0))
    for (let errno = 1; errno <= 20; errno++) await bench.send(`ERRNO=${errno}`)
    await manager.until(21)
    peer.tell()
    await peer.says('end')
  })

  const canRefuse = works(PYTHON, program('manager-without-rights.py'))
  describe.runIf(canRefuse)('a manager that takes no descriptors', () => {
    test('gets the text; a barrier stays unacknowledged, and is let go of when given up', async () => {
      const path = new Bench({ upstream: undefined }).managerPath
      const manager = new Program(PYTHON, program('manager-without-rights.py'), path)
      await manager.says('bound')
      const bench = new Bench({ upstream: path, store: { prefix: 'a.', limit: 1 } })
      const [barrier, stored] = [new TestPipe(), new TestPipe()]
      await bench.send('FDSTORE=1\nFDNAME=n\nREADY=1', [stored.writeFd])
      await bench.proxy.idle()
      await bench.send('FDSTORE=1', [stored.writeFd])
      await bench.send('BARRIER=1', [barrier.writeFd])
      await bench.send('STATUS=behind')
      const pipe = linkOf(barrier.readFd)
      const copies = (): number => openFds().filter((open) => open.endsWith(pipe)).length
      barrier.closeWrite()
      await manager.says('STATUS=behind')
      expect(manager.lines).toEqual(['bound', 'READY=1', 'STATUS=behind'])
      expect(bench.reasons).toEqual([
        'FDSTORE: descriptors-refused',
        'FDSTORE: descriptors-refused',
        'nothing-left',
        'descriptors-refused',
      ])
      await delay(30)
      expect(copies()).toBe(2)
      barrier.closeRead()
      await until(() => copies() === 0)
    })
  })
})
