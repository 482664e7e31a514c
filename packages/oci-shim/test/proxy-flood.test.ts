import { expect, test } from 'vitest'
import { Bench, until } from './proxy/bench.js'
import { openFds } from './proxy/open-fds.js'
import { program, Program } from './proxy/program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

test('a flood from one container delays no other, nor does it use up descriptors', async () => {
  const bench = new Bench()
  const flooded = new Bench({ upstream: bench.managerPath })
  const before = openFds().length
  startFlood(flooded)
  startFlood(flooded)
  await until(() => flooded.proxy.counters.received > 1000)
  for (let round = 1; round <= 20; round++) {
    const flood = flooded.proxy.counters.received
    const barrier = new TestPipe()
    await bench.send(`STATUS=${round}`)
    await bench.send('BARRIER=1', [barrier.writeFd])
    barrier.closeWrite()
    await barrier.released()
    barrier.closeRead()
    expect(bench.notifications.map(({ assignments }) => assignments.status)).toContain(`${round}`)
    expect(openFds().length).toBeLessThan(before + 1500)
    await until(() => flooded.proxy.counters.received > flood + 500)
  }
  expect(bench.proxy.counters).toMatchObject({ received: 40, forwarded: 40 })
})

test('a flood while the manager does not read is bounded', async () => {
  const bench = new Bench()
  bench.manager!.pause()
  startFlood(bench)
  await until(() => bench.proxy.counters.waiting >= 256)
  const { received } = bench.proxy.counters
  for (let tick = 0; tick < 50; tick++) await new Promise((resolve) => setTimeout(resolve, 2))
  expect(bench.proxy.counters.waiting).toBeLessThanOrEqual(512 + 64)
  expect(bench.proxy.counters.received - received).toBeLessThanOrEqual(512 + 64)
  bench.manager!.resume()
  await until(() => bench.proxy.counters.received > 5000)
})

function startFlood({ path }: Bench): Program {
  return new Program(process.execPath, program('flood.mjs'), path)
}
