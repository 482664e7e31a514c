// @ts-check
// Feeds messages made up at random to the parser and the receiver; `--help` tells how. Exit code 1: a finding.
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { positiveInteger, readOptions, refuse } from '../../../../test/support/options.js'
import { endOnSignals } from '../../../../test/support/scratch.js'
import { checkMessage } from './check-message.js'
import { ReceiverCheck, STAYS_OPEN } from './check-receiver.js'
import { makeMessage } from './make-message.js'
import { Random } from '../../../../test/support/random.js'
import { shrink } from './shrink.js'

const HELP = `Feeds messages made up at random to the parser and to the receiver of @sdbridge/notify, and compares what they
make of them with a second parser, written from the manual alone. Build first.

Usage: node packages/notify/test/fuzz/run.js [--seconds N] [--seed N] [--input BASE64] [--package DIR]

  --seconds N     how long (60)
  --seed N        of the first message, from 1 to 999999999; another one each time. Same seed, same messages
  --input BASE64  this message only, as a finding tells it
  --package DIR   the built package (packages/notify)
  --help

Exit codes: 0 nothing found, 1 a finding, 2 wrong options.
`

/** One of so many messages also goes through a socket, which takes longer. */
const MESSAGES_PER_DATAGRAM = 20
const MESSAGES_PER_TURN = 1000
/** Made once, with the first socket. */
const DESCRIPTORS_OF_THE_POLLER = 3

const values = readOptions(HELP, {
  seconds: { type: 'string', default: '60' },
  seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 999_999_999)) },
  input: { type: 'string' },
  package: { type: 'string', default: fileURLToPath(new URL('../..', import.meta.url)) },
})
const seconds = positiveInteger(values.seconds, '--seconds')
const seed = positiveInteger(values.seed, '--seed')
endOnSignals()
const tested = await load(resolve(values.package))
const receiver = new ReceiverCheck(tested)
process.exitCode = await (values.input === undefined ? fuzz() : checkOne(values.input))
receiver.close()

async function fuzz() {
  say(`${seconds} seconds, seed ${seed}`)
  const end = performance.now() + seconds * 1000
  let count = 0
  const openBefore = readdirSync('/proc/self/fd').length
  for (let turn = 0; performance.now() < end; turn++) {
    // A turn has a seed of its own, so that a finding late in a long run is quickly there again.
    const random = new Random(seed + turn)
    for (let index = 0; index < MESSAGES_PER_TURN; index++, count++) {
      const message = makeMessage(random)
      const problem = checkMessage(tested, message)
      if (problem !== undefined) return report(seed + turn, message, checkMessageAgain)
      if (index % MESSAGES_PER_DATAGRAM !== 0) continue
      const fdCount = random.pick([0, 0, 1, 1, 2, 3])
      const check = (/** @type {Buffer} */ input) => receiver.check(input, fdCount)
      if ((await check(message)) !== undefined) return report(seed + turn, message, check)
    }
  }
  const left = readdirSync('/proc/self/fd').length - openBefore
  if (left > DESCRIPTORS_OF_THE_POLLER) {
    say(`FAILED: ${left} more descriptors are open than before; seed ${seed}`)
    return 1
  }
  say(`${count} messages, no finding`)
  return 0
}

/**
 * @param {number} foundAt
 * @param {Buffer} message
 * @param {(input: Buffer) => string | undefined | Promise<string | undefined>} check
 */
async function report(foundAt, message, check) {
  const problem = await check(message)
  // Else each try would wait for a descriptor that nobody closes.
  const isQuick = problem === undefined || !problem.endsWith(STAYS_OPEN)
  const fails = async (/** @type {Buffer} */ input) => (await check(input)) !== undefined
  const least = isQuick ? await shrink(message, fails) : message
  say(`FAILED, seed ${foundAt}: ${isQuick ? await check(least) : problem}`)
  say(`the message: ${JSON.stringify(least.toString('latin1'))}`)
  say(
    `to see it again: node packages/notify/test/fuzz/run.js --input '${least.toString('base64')}'`,
  )
  return 1
}

/** @param {Buffer} input */
function checkMessageAgain(input) {
  return checkMessage(tested, input)
}

/** @param {string} base64 */
async function checkOne(base64) {
  const message = Buffer.from(base64, 'base64')
  const problems = [checkMessage(tested, message)]
  for (const fdCount of [0, 1, 2, 3]) problems.push(await receiver.check(message, fdCount))
  const found = problems.filter((problem) => problem !== undefined)
  say(`${JSON.stringify(message.toString('latin1'))}: ${found.join('; ') || 'nothing is wrong'}`)
  return found.length > 0 ? 1 : 0
}

/**
 * @param {string} directory
 * @returns {Promise<import('./check-message.js').Package>}
 */
async function load(directory) {
  const files = ['parse-message.js', 'encode-message.js', 'receiver/index.js']
  try {
    const modules = await Promise.all(
      files.map((file) => import(pathToFileURL(join(directory, 'dist', file)).href)),
    )
    return Object.assign({}, ...modules)
  } catch (error) {
    return refuse(`--package ${directory}: it is not built, or cannot be loaded: ${String(error)}`)
  }
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`fuzz: ${text}\n`)
}
