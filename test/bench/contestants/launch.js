// Starts one program after the other: for each line of JSON, { words, isBridged }, it answers with one, { time } in nanoseconds from the start to the first
// word of its standard output, or { problem }. What is not bridged gets no NOTIFY_SOCKET, which would make runc wait for a READY=1.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const { NOTIFY_SOCKET, ...others } = process.env

for await (const line of createInterface({ input: process.stdin })) {
  const { words, isBridged } = JSON.parse(line)
  const answer = await launch(words, isBridged ? { ...others, NOTIFY_SOCKET } : others)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

/** @param {string[]} words @param {NodeJS.ProcessEnv} env */
async function launch([file = '', ...args], env) {
  const start = process.hrtime.bigint()
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let time
  let errors = ''
  child.stdout.once('data', () => (time = Number(process.hrtime.bigint() - start)))
  child.stderr.on('data', (chunk) => (errors += chunk))
  // One can start only when the name of the one before is free.
  const [code] = await once(child, 'close')
  if (code !== 0 || time === undefined) return { problem: `ended with ${code}: ${errors}` }
  return { time }
}
