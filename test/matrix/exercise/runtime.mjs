import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** Starts the runtime that runs this: under an emulator, `process.execPath` is a file that the kernel cannot start. */
export const NODE = process.env.SDBRIDGE_EXERCISE_NODE ?? process.execPath

export const program = (name) => fileURLToPath(new URL(`programs/${name}`, import.meta.url))

/** Runs a program to its end. */
export async function run(name, args = [], options = {}) {
  const child = spawn(NODE, [program(name), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  })
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { pid: child.pid, stdout, stderr, code, signal }
}

/** Waits for something that comes soon. */
export async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
