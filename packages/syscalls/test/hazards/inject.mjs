// inject.mjs <scenario>: runs a scenario of scenarios.mjs once and counts the addon's calls to the C library; then
// again and again, each time with another call that fails. Prints what it found. fail.c must be preloaded.
//
// After each run the scenario must have succeeded or met a system error, in time, and no descriptor may be left.
import { execFile } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { scenarios } from './scenarios.mjs'

const { ENOMEM, EMFILE, EINTR, EBADF, EAGAIN, EPERM, EIO } = constants.errno
const anyErrors = [ENOMEM, EMFILE, EINTR, EBADF, EAGAIN, EPERM]
/** A fresh process takes its time. */
const fewErrors = [ENOMEM, EINTR]
/** Where the manual leaves fewer. */
const errorsOf = {
  close: [EINTR, EIO],
  // Its others say that the descriptors or the memory are not there, and then nobody can be told.
  epoll_pwait: [EINTR],
  futex: [EINTR, EAGAIN],
  // EBADF says that it is no message queue.
  mq_getsetattr: [ENOMEM, EINTR, EPERM],
  // It never fails.
  getpid: [],
  malloc: [ENOMEM],
  calloc: [ENOMEM],
  realloc: [ENOMEM],
  pthread_create: [EAGAIN],
}
/**
 * How many of them there are in a run is up to the scheduler: a socket is closed by a thread, which takes a malloc for
 * the job, only if the end of its peer or a message has come by then.
 */
const byChance = new Set([
  'epoll_pwait',
  'epoll_ctl',
  'futex',
  'close',
  'pthread_create',
  'recvmsg',
  'mq_timedreceive',
  'sendmsg',
  'malloc',
])
const LIMIT = 10_000
/** How long to wait for what may stay: closes on threads are done by then, and if not, they are in the next run's. */
const STAYS = 300

const [name, only, allowed] = process.argv.slice(2)
/** Of a fresh process: what stays open in it when nothing fails, a poller's descriptors. */
const stays = JSON.parse(allowed ?? '[]')
const scenario = scenarios[name]

if (only !== undefined)
  process.stdout.write(JSON.stringify(await run(only, allowed === undefined ? STAYS : LIMIT)))
else process.stdout.write(JSON.stringify(scenario.fresh ? await inFreshProcesses() : await here()))
// What hangs would keep it alive.
process.exit()

async function here() {
  // What comes to stay, such as a poller's descriptors, comes now.
  await run('count', STAYS)
  return await failEach((order) => run(order))
}

async function inFreshProcesses() {
  const { left } = await inProcess('count')
  return await failEach((order) => inProcess(order, JSON.stringify(left)))
}

async function failEach(runOnce) {
  const dry = await runOnce('count')
  const found = { calls: dry.counts, cases: 0, hits: 0, errors: {}, problems: [] }
  if (dry.error !== undefined || dry.problem?.kind === 'hung') found.problems.push(dry)
  const orders = ordersFor(dry.counts)
  // Processes of their own can run side by side; what fails in this one is the only thing that happens in it.
  const lanes = Array.from({ length: scenario.fresh ? 2 : 1 }, async () => {
    for (let order = orders.shift(); order !== undefined; order = orders.shift()) {
      const outcome = await runOnce(order)
      found.cases++
      found.hits += outcome.failed
      const code = outcome.error?.code ?? 'none'
      found.errors[code] = (found.errors[code] ?? 0) + 1
      if (outcome.problem !== undefined) found.problems.push({ order, ...outcome })
      else if (outcome.failed === 0 && !byChance.has(order.split(' ')[0])) {
        found.problems.push({ order, problem: { kind: 'the call did not come' } })
      }
    }
  })
  await Promise.all(lanes)
  return found
}

function ordersFor(counts) {
  return Object.entries(counts).flatMap(([call, times]) => {
    if (scenario.fresh?.includes(call) === false) return []
    const errors = errorsOf[call] ?? (scenario.fresh ? fewErrors : anyErrors)
    return Array.from({ length: times }, (_, index) => index + 1).flatMap((nth) =>
      errors.map((error) => `${call} ${nth} ${error}`),
    )
  })
}

/** Runs the scenario once. A problem is one of: a strange error, a descriptor that is left, no end. */
async function run(order, patience = LIMIT) {
  const before = descriptors()
  process.env.SDBRIDGE_FAIL = order
  const error = await Promise.race([runAndClose(), delay(LIMIT, 'hung', { ref: false })])
  const end = Date.now() + (error === 'hung' ? 0 : patience)
  let left = leftSince(before)
  while (left.length > 0 && Date.now() < end) {
    await delay(1)
    left = leftSince(before)
  }
  process.env.SDBRIDGE_FAIL = 'off'
  const outcome = { ...report(), ...(error !== undefined && { error: describe(error) }) }
  if (error === 'hung') return { ...outcome, problem: { kind: 'hung' } }
  if (error !== undefined && !isSystemError(error)) outcome.problem = { kind: 'no system error' }
  if (left.length > 0) Object.assign(outcome, { left, problem: { kind: 'left', left } })
  return outcome
}

/** Returns the first error. Everything is closed, whatever fails. */
async function runAndClose() {
  const closers = []
  let first
  try {
    await scenario.run((close) => closers.unshift(close))
  } catch (error) {
    first = error
  }
  for (const close of closers) {
    try {
      await close()
    } catch (error) {
      first ??= error
    }
  }
  return first
}

function isSystemError({ code, syscall, uncaught }) {
  if (uncaught) return false
  // The binary as a whole could not be loaded.
  if (code === 'ERR_SYSCALLS_UNAVAILABLE') return true
  return /^E[A-Z]+$/.test(code) && typeof syscall === 'string'
}

function describe(error) {
  return error === 'hung'
    ? error
    : { message: error.message, code: error.code, uncaught: error.uncaught, stack: error.stack }
}

function report() {
  const pairs = process.env.SDBRIDGE_FAIL_REPORT.split(' ').map((each) => each.split('='))
  const { failed, ...counts } = Object.fromEntries(pairs.map(([key, n]) => [key, Number(n)]))
  return { failed, counts }
}

async function inProcess(order, ...more) {
  return await new Promise((resolve) => {
    const args = [process.argv[1], name, order, ...more]
    // Under AddressSanitizer, looking for leaks takes longer than all else, and is done in other tests.
    const env = { ...process.env, LSAN_OPTIONS: 'detect_leaks=0' }
    const options = { env, timeout: 3 * LIMIT, killSignal: 'SIGKILL' }
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error === null && stderr === '') resolve({ left: [], ...JSON.parse(stdout) })
      else
        resolve({
          failed: 1,
          counts: {},
          problem: { kind: 'ended', text: `${error?.message} ${stderr}` },
        })
    })
  })
}

/** What is open now and was not before: `what it is`, without its number. */
function leftSince(before) {
  const now = descriptors()
  const found = [...now].filter(([fd, what]) => before.get(fd) !== what).map(([, what]) => what)
  return found.filter((what) => !stays.includes(what))
}

function descriptors() {
  const found = new Map()
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      found.set(fd, readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      // It was the one of the listing.
    }
  }
  return found
}
