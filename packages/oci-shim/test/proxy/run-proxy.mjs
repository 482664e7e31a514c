// Runs a proxy and says what it drops: run-proxy.mjs <container socket> <manager's socket> [<first process>]
import { NotifyProxy } from '../../dist/index.js'

const [path, upstream, init] = process.argv.slice(2)
const proxy = new NotifyProxy({
  path,
  upstream,
  ...(init !== undefined && { mainPid: true, init: () => Number(init) }),
  onDropped: ({ field = 'message', reason, text }) =>
    process.stdout.write(`${field}: ${reason}: ${text}\n`),
})
process.stdout.write('bound\n')
process.once('SIGTERM', () => proxy.close())
