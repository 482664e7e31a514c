import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { getFileLimit, setFileLimit, DatagramSocket } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { Bench, until } from './proxy/bench.js'
import { openFds } from './proxy/open-fds.js'
import { program, Program } from './proxy/program.js'

describe.runIf(works(PYTHON, '-c', ''))('with another process', () => {
  test('descriptors that are slow to close: reading stops before the table is full', async () => {
    const count = 200
    const bench = new Bench()
    await bench.send('READY=1')
    await bench.said()
    const limit = getFileLimit()
    onTestFinished(() => setFileLimit(limit))
    const payload = new Program(PYTHON, program('linger-many.py'), bench.path, `${count}`)
    // Between two looks at the table 127 may come: it needs room for as many beyond its half, where reading stops.
    const room = Array.from({ length: 100 }, () => openSync('/dev/null', 'r'))
    onTestFinished(() => {
      for (const fd of room) closeSync(fd)
    })
    const most = openFds().length + 40
    setFileLimit({ soft: 2 * most, hard: limit.hard })

    await until(() => openFds().length > most)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const { received } = bench.proxy.counters
    expect(received).toBeLessThan(count)
    expect(openFds().length).toBeLessThan(most + 64 + 64)
    expect(bench.proxy.counters.droppedFields).not.toHaveProperty('descriptors-lost')

    payload.tell()
    await payload.says('sent')
    await until(() => bench.proxy.counters.received === count + 1)
    await bench.said()
    expect(bench.notifications).toHaveLength(count + 1)
    await until(() => openFds().length < most)
    // Where the bridge is quicker, it is the sender's own close that is slow, each for a fifth of a second.
  }, 120_000)

  test.runIf(isRoot())('a container socket that fails is made anew at its path', async () => {
    const socketsBefore = sockets()
    const bench = new Bench({ upstream: undefined })
    const own = sockets().find((socket) => !socketsBefore.includes(socket))
    const { pid } = process
    execFileSync(PYTHON, [program('shut-down.py'), `${pid}`, own!.split(' ')[0]!])
    const sent = await sendUntilReceived(bench)
    expect(sent).toBeGreaterThan(0)
  })
})

function sockets(): string[] {
  return openFds().filter((open) => open.includes('socket:'))
}

/** As a payload does that connects for each message, as libsystemd has it. */
async function sendUntilReceived({ path, proxy }: Bench): Promise<number> {
  for (let sent = 1; ; sent++) {
    const socket = new DatagramSocket('unix')
    try {
      socket.connect({ family: 'unix', path })
      socket.trySend(Buffer.from('READY=1'))
    } catch {
      // Not there at the moment.
    } finally {
      socket.close()
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (proxy.counters.received > 0) return sent
  }
}
