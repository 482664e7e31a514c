import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Report } from './bench/bench.js'
import { temporaryDirectory } from './support/temporary-directory.js'

const BENCH = fileURLToPath(new URL('bench/bench.js', import.meta.url))

// No time is asserted, and so few messages say nothing about any.
test('the benchmark runs, and what is compared has arrived', { timeout: 300_000 }, () => {
  const directory = temporaryDirectory()
  const json = join(directory, 'report.json')
  const few = ['--rounds', '1', '--count', '1000', '--settle', '1', '--no-rivals', '--no-engines']
  const options = [...few, '--json', json]
  const table = execFileSync(process.execPath, [BENCH, ...options], {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  expect(table).toContain('notify({ watchdog: true })')
  expect(readdirSync(directory)).toEqual(['report.json'])
  const { comparisons } = JSON.parse(readFileSync(json, 'utf8')) as Report
  expect(comparisons.map(({ name }) => name)).toEqual([
    'send',
    'flood',
    'endurance',
    'receive',
    'start',
    'serve',
    'import',
    'memory',
    'daemon-memory',
    'launch runc',
    'launch crun',
    'launch docker',
    'launch podman',
    'runtime create',
    'runtime state',
    'hook',
    'forward',
    'forward-100',
    'daemon-forward',
    'latency-1',
    'latency-100',
    'latency-1000',
  ])
  const arrived = Object.fromEntries(
    comparisons
      .slice(0, 2)
      .flatMap(({ name, results }) =>
        results.map((result) => [`${name}: ${result.title}`, result.arrived] as const),
      ),
  )
  expect(arrived).toMatchObject({
    'send: C: sendmsg(), connected': 1,
    'send: notify({ watchdog: true }), each awaited': 1,
    'send: DatagramSocket.trySend()': 1,
    'flood: C: sendmsg(), connected': 1,
    'flood: notify({ watchdog: true }), each awaited': 1,
    'flood: DatagramSocket.trySend()': 1,
  })
  for (const relay of ['C: recvmsg(), sendto()', 'sdbridge run']) {
    const measured = comparisons.flatMap(({ name, results }) =>
      results.filter(({ title, cpu }) => title === relay && cpu !== 0).map(() => name),
    )
    expect(measured).toEqual([
      'forward',
      'forward-100',
      'daemon-forward',
      'latency-1',
      'latency-100',
      'latency-1000',
    ])
  }
  for (const name of ['daemon-memory', 'daemon-forward']) {
    const { results } = comparisons.find((each) => each.name === name)!
    const daemons = results.filter(({ title }) => title.startsWith('sdbridge daemon'))
    expect(daemons).toHaveLength(4)
    for (const { time } of daemons) expect(time?.median).toBeGreaterThan(0)
  }
  const latencies = comparisons.find(({ name }) => name === 'latency-1000')?.results ?? []
  expect(latencies).toHaveLength(4)
  for (const { title, late, added } of latencies) {
    expect(late).toBeGreaterThan(0)
    // On a busy machine a relay may add less than nothing.
    expect(added).toSatisfy(title === 'no relay' ? (it) => it === 0 : Number.isFinite)
  }
})
