// How much of what C reaches is left in JavaScript: sends and receives 11-byte messages, beside raw system
// calls and libsystemd. The runs are interleaved, so that a busy machine disturbs all of them alike, and what
// counts is the ratio of the medians. Nothing is asserted.
//
//   node bench/run.js [--rounds 7] [--count 50000] [--json]
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DatagramSocket } from '@sdbridge/syscalls'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    count: { type: 'string', default: '50000' },
    json: { type: 'boolean', default: false },
  },
})
const count = Number(options.count)
const rounds = Number(options.rounds)
const message = Buffer.from('WATCHDOG=1')
const name = `sdbridge-bench-${process.pid}`
const directory = mkdtempSync(join(tmpdir(), 'sdbridge-bench-'))
const peer = join(directory, 'peer')

/** @typedef {{ title: string, run: () => Promise<number | undefined> }} Contestant `run` returns seconds. */

/** @type {Record<string, Contestant[]>} The first of each group is what the others are compared with. */
const groups = {
  send: [
    { title: 'C, sendmsg', run: async () => await drained(() => timeOfPeer('send')) },
    {
      title: 'C, sd_notify of libsystemd',
      run: async () => await drained(() => timeOfPeer('sd_notify')),
    },
    { title: 'DatagramSocket.trySend', run: async () => await drained(sendAll) },
  ],
  receive: [
    { title: 'C, recvmsg', run: receiveInC },
    { title: 'DatagramSocket.receive', run: receiveAll },
  ],
}

try {
  const source = fileURLToPath(new URL('peer.c', import.meta.url))
  execFileSync(process.env['CC'] ?? 'cc', ['-O2', '-Wall', '-Wextra', '-o', peer, source, '-ldl'], {
    stdio: 'inherit',
  })
  const results = await compare()
  process.stdout.write(options.json ? `${JSON.stringify(results, undefined, 2)}\n` : table(results))
} finally {
  rmSync(directory, { recursive: true })
}

async function compare() {
  /** @type {Map<Contestant, number[]>} */
  const rates = new Map()
  const contestants = Object.values(groups).flat()
  // One round more, to warm up.
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of contestants) {
      const seconds = await contestant.run()
      if (round === 0 || seconds === undefined) continue
      rates.set(contestant, [...(rates.get(contestant) ?? []), count / seconds])
    }
  }
  return Object.entries(groups).flatMap(([group, members]) => {
    const medians = members.map((member) => median(rates.get(member) ?? []))
    return members.map(({ title }, index) => {
      const perSecond = medians[index] ?? Number.NaN
      return { group, title, perSecond, ratio: perSecond / (medians[0] ?? Number.NaN) }
    })
  })
}

/** Runs `use` while a C program receives everything. @param {() => Promise<number | undefined>} use */
async function drained(use) {
  const sink = spawn(peer, ['sink', name], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(sink.stdout, 'data')
  try {
    return await use()
  } finally {
    sink.kill()
    await once(sink, 'exit')
  }
}

/** The time that a C program says it took; undefined where it cannot run. @param {string} mode */
async function timeOfPeer(mode) {
  const child = spawn(peer, [mode, name, `${count}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)
  let last = ''
  lines.on('line', (line) => (last = line))
  const [code] = await once(child, 'close')
  if (code === 77) return undefined
  if (code !== 0) throw new Error(`peer ${mode} ended with ${code}`)
  return Number(last) / 1e9
}

async function sendAll() {
  const socket = new DatagramSocket('unix')
  socket.connect({ family: 'unix', abstract: Buffer.from(name) })
  const start = process.hrtime.bigint()
  await /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      let sent = 0
      sendOn()
      function sendOn() {
        while (sent < count && socket.trySend(message)) sent++
        if (sent < count) socket.onceWritable(sendOn)
        else resolve()
      }
    })
  )
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  socket.close()
  return seconds
}

async function receiveInC() {
  const time = timeOfPeer('receive')
  // It has its name a moment after it has started.
  await new Promise((resolve) => setTimeout(resolve, 50))
  spawn(peer, ['flood', name, `${count}`], { stdio: 'inherit' })
  return await time
}

async function receiveAll() {
  const socket = new DatagramSocket('unix')
  socket.bind({ family: 'unix', abstract: Buffer.from(name) })
  /** @type {Promise<number>} */
  const time = new Promise((resolve, reject) => {
    let received = 0
    let start = 0n
    socket.receive({
      onError: reject,
      onMessages: (batch) => {
        if (received === 0) start = process.hrtime.bigint()
        received += batch.length
        if (received >= count) resolve(Number(process.hrtime.bigint() - start) / 1e9)
      },
    })
  })
  const flood = spawn(peer, ['flood', name, `${count}`], { stdio: 'inherit' })
  const [seconds] = await Promise.all([time, once(flood, 'exit')])
  socket.close()
  return seconds
}

/** @param {number[]} numbers */
function median(numbers) {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/** @param {Awaited<ReturnType<typeof compare>>} results */
function table(results) {
  const lines = results.map(({ group, title, perSecond, ratio }) => {
    const rate = Number.isNaN(perSecond) ? 'not here' : `${Math.round(perSecond)}`
    return [
      group.padEnd(8),
      title.padEnd(28),
      rate.padStart(12),
      ratio.toFixed(2).padStart(8),
    ].join(' ')
  })
  const head = `${'group'.padEnd(8)} ${'what'.padEnd(28)} ${'messages/s'.padStart(12)} ${'ratio'.padStart(8)}`
  return `${[head, ...lines].join('\n')}\n`
}
