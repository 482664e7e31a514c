// Runs a proxy whose manager is not there yet, and says how many timers it has: count-timers.mjs <container socket> <manager's socket>
import { NotifyProxy } from '../../dist/index.js'

const [path, upstream] = process.argv.slice(2)
const proxy = new NotifyProxy({ path, upstream })
say('idle')
let said = 'idle'
for (;;) {
  await new Promise((resolve) => setImmediate(resolve))
  const now = proxy.counters.waiting > 0 ? 'waiting' : 'idle'
  if (now !== said) say(now)
  said = now
}

function say(state) {
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  process.stdout.write(`${state}: ${timers}\n`)
}
