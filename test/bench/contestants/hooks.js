// How long hooks take, from their start to their end, as a container engine waits for them: hooks.js FOLDER RUNS PROGRAM ARGUMENT…, where nobody else sees the
// file systems. A daemon that answers at once is at the place of the real one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

const RUNTIME_DIRECTORY = '/run/sdbridge-daemon'
const NOTIFY_DIRECTORY = '/var/lib/sdbridge-daemon/notify/bench'
const ANSWER = {
  version: 1,
  unit: 'bench.service',
  socket: `${NOTIFY_DIRECTORY}/notify.sock`,
  found: true,
}

const [folder = '', runs = '', program = '', ...words] = process.argv.slice(2)
const mounts = [{ destination: '/run/notify', source: NOTIFY_DIRECTORY, options: ['bind'] }]
writeFileSync(join(folder, 'config.json'), JSON.stringify({ ociVersion: '1.0.2', mounts }))
const state = JSON.stringify({
  ociVersion: '1.0.2',
  id: 'bench',
  status: 'creating',
  pid: process.pid,
  bundle: folder,
})

mkdirSync(RUNTIME_DIRECTORY)
let answers = 0
const daemon = createServer((socket) => {
  socket.once('data', () => {
    answers++
    socket.end(`${JSON.stringify(ANSWER)}\n`)
  })
})
daemon.listen(join(RUNTIME_DIRECTORY, 'control.sock'))
await once(daemon, 'listening')

let wall = 0
for (let run = 0; run < Number(runs); run++) {
  const before = process.hrtime.bigint()
  // As runc and crun do it: nothing of our environment.
  const hook = spawn(program, words, { stdio: ['pipe', 'inherit', 'inherit'], env: {} })
  // One that does not read it ends before.
  hook.stdin.on('error', () => {})
  hook.stdin.end(state)
  const [code] = await once(hook, 'exit')
  wall += Number(process.hrtime.bigint() - before) / Number(runs)
  if (code !== 0) throw new Error(`${program} ended with ${code}`)
}
daemon.close()
process.stdout.write(`${JSON.stringify({ wall, answers })}\n`)
