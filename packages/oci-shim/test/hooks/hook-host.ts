import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'
import type { SdbridgeOutcome } from '../sdbridge.js'

const SCRIPT = fileURLToPath(new URL('run-hook.mjs', import.meta.url))

export interface HookCall {
  stage?: 'createRuntime' | 'poststop'
  onFailure?: 'fail' | 'ignore'
  /** For standard input. */
  input: string | Buffer
  /** Standard input stays open. */
  isOpen?: boolean
  /** Of the runtime; the hook has none. */
  env?: NodeJS.ProcessEnv
}

/** What a hook finds on its host: a bundle, and somebody who plays the daemon. */
export class HookHost {
  readonly bundle = temporaryDirectory()
  readonly base = join(temporaryDirectory(), 'notify')
  readonly asked: unknown[] = []
  /** What is answered; nothing if it is `undefined`. */
  answer: object | undefined = { unit: 'web.service', socket: '/socket' }
  readonly #runtime = temporaryDirectory()

  constructor() {
    mkdirSync(this.base)
  }

  /** Without it, nobody is there. */
  async listen(): Promise<void> {
    const server = createServer((socket) => this.#hear(socket))
    server.listen(join(this.#runtime, 'control.sock'))
    onTestFinished(() => void server.close())
    await once(server, 'listening')
  }

  /** Writes the bundle's configuration, with these sources of mounts. */
  configure(...sources: string[]): void {
    const mounts = sources.map((source) => ({ destination: '/run/notify', source, type: 'bind' }))
    writeFileSync(join(this.bundle, 'config.json'), JSON.stringify({ mounts }))
  }

  state(more: object = {}): string {
    const state = { ociVersion: '1.2.1', id: 'c1', status: 'creating', pid: 42 }
    return JSON.stringify({ ...state, bundle: this.bundle, annotations: {}, ...more })
  }

  /** Runs a hook as a runtime does, which is a shell here. */
  async run({ stage = 'createRuntime', onFailure = 'fail', ...call }: HookCall) {
    const words = [process.execPath, SCRIPT, stage, onFailure, this.base, this.#runtime]
    const child = spawn('/bin/sh', ['-c', 'env -i "$@"; exit $?', 'sh', ...words], {
      env: call.env ?? {},
    })
    // It may have ended, or have had enough.
    child.stdin.on('error', () => {})
    child.stdin.write(call.input)
    if (call.isOpen !== true) child.stdin.end()
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    if (child.exitCode === null) await once(child, 'exit')
    const outcome: SdbridgeOutcome = { stdout, stderr, status: child.exitCode }
    return outcome
  }

  #hear(socket: Socket): void {
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      this.asked.push(JSON.parse(String(chunk)))
      // It stays open: a hook does not wait for more than its answer.
      if (this.answer !== undefined)
        socket.write(`${JSON.stringify({ version: 1, ...this.answer })}\n`)
      else socket.end()
    })
  }
}
