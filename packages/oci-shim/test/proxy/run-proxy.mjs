// Runs a proxy and says what it drops: run-proxy.mjs <container socket> <manager's socket>
import { NotifyProxy } from '../../dist/index.js'

const [path, upstream] = process.argv.slice(2)
new NotifyProxy({
  path,
  upstream,
  onDropped: ({ reason }) => process.stdout.write(`dropped ${reason}\n`),
})
process.stdout.write('bound\n')
