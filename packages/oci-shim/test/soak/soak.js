// @ts-check
// Whether anything grows in a bridge that lives long, and in a process that serves many containers; `--help` tells how.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { positiveInteger, readOptions } from '../../../../test/support/options.js'
import { scratchDirectory } from '../../../../test/support/scratch.js'
import { crashes } from './crashes.js'
import { Growth } from './growth.js'
import { Messages } from './messages.js'
import { Subject } from './subject.js'

const HELP = `Passes messages of all kinds through a bridge, and makes and removes private directories of containers, round after round.
After each it is measured, with the garbage collected: descriptors, heap and resident memory must not grow. Build first.

Usage: pnpm test:soak [--messages N] [--lifetimes N] [--crashes N] [--rounds N] [--minutes N]

  --messages N   through the bridge (1000000)
  --lifetimes N  of a private directory and its socket, in one process (10000)
  --crashes N    processes that are killed, each of which finds what the one before has left (30)
  --rounds N     measurements of each (20)
  --minutes N    all of it again, until so many minutes are over: --minutes 600 for a night

Exit codes: 0 nothing has grown, 1 something has, or was left behind, 2 wrong options.
`

const values = readOptions(HELP, {
  messages: { type: 'string', default: '1000000' },
  lifetimes: { type: 'string', default: '10000' },
  crashes: { type: 'string', default: '30' },
  rounds: { type: 'string', default: '20' },
  minutes: { type: 'string', default: '0' },
})
const messages = positiveInteger(values.messages, '--messages')
const lifetimes = positiveInteger(values.lifetimes, '--lifetimes')
const crashCount = positiveInteger(values.crashes, '--crashes')
const rounds = positiveInteger(values.rounds, '--rounds')
const minutes = values.minutes === '0' ? 0 : positiveInteger(values.minutes, '--minutes')
const directory = scratchDirectory('soak')

process.exitCode = await main()

async function main() {
  const end = performance.now() + minutes * 60_000
  const path = join(directory, 'notify.sock')
  const upstream = join(directory, 'manager.sock')
  const bridge = await Subject.start('bridge.mjs', path, upstream)
  const traffic = new Messages(path, upstream)
  const containers = await Subject.start('lifetimes.mjs', join(directory, 'sdbridge'))

  const ofBridge = new Growth(`${messages} messages through one bridge`)
  const ofContainers = new Growth(`${lifetimes} lifetimes of a private directory`)
  let left = 0
  do {
    for (let round = 1; round <= rounds; round++) {
      await traffic.pass(Math.ceil(messages / rounds))
      ofBridge.add(await bridge.measure())
    }
    for (let round = 1; round <= rounds; round++) {
      await containers.ask({ lifetimes: Math.ceil(lifetimes / rounds) })
      ofContainers.add(await containers.measure())
    }
    left += await crashes(crashCount, join(directory, 'sdbridge'))
  } while (performance.now() < end)
  traffic.close()
  await Promise.all([bridge.end(), containers.end()])

  const files = readdirSync(directory)
  left += files.length
  say(left === 0 ? 'nothing is left behind' : `FAILED: left behind: ${files.join(' ')}`)
  return [ofBridge, ofContainers].filter((each) => each.report()).length === 2 && left === 0 ? 0 : 1
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`)
}
