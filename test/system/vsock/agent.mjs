// Runs programs in a guest for the host, which writes to its standard input and reads from its standard output, a line of
// JSON for each thing that happens. See guest.js.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const children = new Map()

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, command, args, env, input, signal } = JSON.parse(line)
  if (command !== undefined) start(id, command, args, env)
  if (input !== undefined) children.get(id)?.stdin.write(input)
  if (signal !== undefined) children.get(id)?.kill(signal)
})
tell({ ready: true })

function start(id, command, args, env) {
  const child = spawn(command, args, { env: { PATH: process.env.PATH, ...env } })
  children.set(id, child)
  // Who does not read its input breaks the pipe.
  child.stdin.on('error', () => {})
  child.stdout.setEncoding('utf8').on('data', (stdout) => tell({ id, stdout }))
  child.stderr.setEncoding('utf8').on('data', (stderr) => tell({ id, stderr }))
  child.on('error', (error) => tell({ id, stderr: error.message, exitCode: 127 }))
  child.on('close', (code, signal) => tell({ id, exitCode: code ?? signal }))
}

function tell(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}
