// Sends READY=1 and a status to NOTIFY_SOCKET, in each of the ways that are its arguments, and prints a line of JSON for what
// became of each.
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { notify, notifySync } from '@sdbridge/notify'

const assignments = { ready: true, status: 'hi' }

const WAYS = {
  notify: () => notify(assignments),
  notifySync: () => notifySync(assignments, { timeoutMs: 10_000 }),
  // The receiver never closes.
  impatient: () => notifySync(assignments, { timeoutMs: 100 }),
  // Other things happen while a message is on its way.
  patient: async () => {
    const sent = notify(assignments).then(() => print('sent'))
    for (let turn = 0; turn < 20; turn++) await delay(10)
    print('20 turns of the event loop')
    await sent
  },
  many: () =>
    Promise.all(Array.from({ length: 20 }, (_, each) => notify({ extra: { X_N: `${each}` } }))),
  exit: () => void process.on('exit', () => WAYS.notifySync()),
}

for (const way of process.argv.slice(2)) print(await outcomeOf(WAYS[way]))

async function outcomeOf(send) {
  const before = openSockets()
  const result = {}
  try {
    await send()
  } catch (error) {
    result.code = error.code
    result.cause = error.cause?.message
  }
  // With the descriptors that it left open.
  return { ...result, leaks: openSockets() - before }
}

function openSockets() {
  return readdirSync('/proc/self/fd').filter((fd) => isSocket(fd)).length
}

function isSocket(fd) {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    // That of the listing itself.
    return false
  }
}

function print(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}
