// The side of a subject that is measured: see subject.js.
import { readdirSync } from 'node:fs'
import { setImmediate, setTimeout } from 'node:timers/promises'

const LONGEST_SETTLING_MS = 5000

/** Answers what it is asked, until nobody is there to ask; then it ends by itself. */
export function answer(actions) {
  let fewest
  process.on('message', async (request) => {
    if (!request.measure) {
      await actions(request)
      process.send('done')
      return
    }
    const descriptors = await settled(fewest)
    fewest ??= descriptors
    process.send({ descriptors, ...(await memory()) })
  })
  process.send('ready')
}

/** What strangers have sent is closed a moment later, on threads. */
async function settled(most) {
  const end = performance.now() + LONGEST_SETTLING_MS
  for (let before; ; await setTimeout(20)) {
    const now = readdirSync('/proc/self/fd').length
    const isSettled = most === undefined ? now === before : now <= most
    if (isSettled || performance.now() > end) return now
    before = now
  }
}

async function memory() {
  for (let time = 0; time < 3; time++) {
    globalThis.gc()
    await setImmediate()
  }
  const { arrayBuffers, external, heapUsed, rss } = process.memoryUsage()
  const kib = (bytes) => Math.round(bytes / 1024)
  return { heap: kib(heapUsed), outside: kib(external + arrayBuffers), resident: kib(rss) }
}
