// Adopts an orphan that ends with 7, while a child of its own ends with 3.
import { spawn, spawnSync } from 'node:child_process'
import { OrphanReaper, setSubreaper } from '@sdbridge/syscalls'

setSubreaper(true)
let own
const keepAlive = setInterval(() => {}, 60_000)
const reaper = new OrphanReaper(({ code }) => {
  reaper.close()
  clearInterval(keepAlive)
  process.stdout.write(`orphan ${code}, own child ${own}\n`)
})
spawnSync('sh', ['-c', '(exit 7) & exit 0'])
spawn('sh', ['-c', 'exit 3']).on('exit', (code) => (own = code))
