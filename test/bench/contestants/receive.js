// One contestant that receives in JavaScript: `node receive.js KIND PATH COUNT`, as `peer receive`.
import { receivers } from './receivers.js'

const WARM_UP = 2

const [kind = '', path = '', wanted = ''] = process.argv.slice(2)
const warmUp = Math.floor(Number(wanted) / WARM_UP)
const messages = warmUp + Number(wanted)
let received = 0
/** @type {{ clock: bigint, cpu: NodeJS.CpuUsage, received: number } | undefined} */
let start

await receivers[kind]?.(path, onReceived)
process.stdout.write('ready\n')

/** @param {number} more */
function onReceived(more) {
  received += more
  if (received >= warmUp)
    start ??= { clock: process.hrtime.bigint(), cpu: process.cpuUsage(), received }
  if (received < messages || start === undefined) return
  const wall = Number(process.hrtime.bigint() - start.clock)
  const { user, system } = process.cpuUsage(start.cpu)
  const measured = received - start.received
  const result = { wall, cpu: (user + system) * 1000, measured, messages }
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit())
}
