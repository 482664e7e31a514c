// Counts the SIGRTMIN+3 that it sends itself, by their number.
import { SignalWatcher, signalNumber } from '@sdbridge/syscalls'

let count = 0
const keepAlive = setInterval(() => {}, 60_000)
const watcher = new SignalWatcher('SIGRTMIN+3', () => {
  if (++count < 3) return
  watcher.close()
  clearInterval(keepAlive)
  process.stdout.write(`caught ${count}\n`)
})
for (let sent = 0; sent < 3; sent++) process.kill(process.pid, signalNumber('SIGRTMIN+3'))
