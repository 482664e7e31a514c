import { fork } from 'node:child_process'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type ReceivedMessage } from '../src/index.js'
import { Inbox, until } from './inbox.js'
import { fixture } from './program.js'

const messages = 200_000
/** It takes a second or two; a busy machine needs its time. */
const timeout = 180_000

/** Receives a flood of numbered messages; `onBatch` is called with each batch. */
async function receiveFlood(onBatch: (batch: ReceivedMessage[]) => void): Promise<void> {
  let next = 0
  const inbox = new Inbox({
    onMessages: (batch) => {
      for (const { data } of batch) {
        if (data.readUInt32LE() !== next) throw new Error(`${data.readUInt32LE()} after ${next}`)
        next++
      }
      onBatch(batch)
    },
  })
  const name = Buffer.from('abstract' in inbox.address ? inbox.address.abstract : [])
  const child = fork(fixture('flood.mjs'), [name.toString('hex'), `${messages}`])
  onTestFinished(() => void child.kill())
  await until(() => next === messages)
  expect(inbox.errors).toEqual([])
}

test('a flood leaves room for timers and other connections', { timeout }, async () => {
  const server = createServer((_request, response) => response.end('alive'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo

  let flooding = true
  let responses = 0
  async function request(): Promise<void> {
    while (flooding) {
      await new Promise<void>((resolve, reject) => {
        const sent = get({ host: '127.0.0.1', port, agent: false }, (response) => {
          response.resume().on('end', resolve)
        })
        sent.on('error', reject)
      })
      if (flooding) responses++
    }
  }
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  onTestFinished(() => clearInterval(timer))
  const requests = request()

  await receiveFlood(() => {})
  flooding = false
  await requests
  // The counts on a quiet machine are in the hundreds.
  expect(ticks).toBeGreaterThan(10)
  expect(responses).toBeGreaterThan(10)
})

test(
  'a flood is taken in small bites, even by a handler that works in promises',
  { timeout },
  async () => {
    let sinceTurn = 0
    let mostInTurn = 0
    let longest = 0
    let turns = 0
    let immediate = setImmediate(function turn() {
      turns++
      sinceTurn = 0
      immediate = setImmediate(turn)
    })
    onTestFinished(() => clearImmediate(immediate))

    await receiveFlood((batch) => {
      mostInTurn = Math.max(mostInTurn, ++sinceTurn)
      longest = Math.max(longest, batch.length)
      // While this goes on, the next messages arrive.
      process.nextTick(() => batch.forEach(({ data }) => data.toString('base64').repeat(20)))
    })
    expect(turns).toBeGreaterThan(messages / 64 / 2)
    expect(longest).toBeLessThanOrEqual(64)
    expect(mostInTurn).toBe(1)
  },
)
