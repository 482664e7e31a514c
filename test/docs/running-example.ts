import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { closeFd, DatagramSocket } from '@sdbridge/syscalls'
import { answerAt, ask } from './clients.js'
import { openSocket } from './open-socket.js'
import { ServiceManager, textOf } from './service-manager.js'
import type { Step } from './steps.js'

/** Generous: the machine may be busy with all the other tests. */
const TIMEOUT_MS = 20_000

/** Runs an example's program as a service, step by step; throws what was not as the steps say, and how far it came. */
export async function runExample(program: string, steps: readonly Step[]): Promise<void> {
  const example = new RunningExample(program)
  try {
    for (const step of steps.filter(isPreparation)) await example.take(step)
    example.start()
    for (const step of steps.filter((each) => !isPreparation(each))) await example.take(step)
    await example.end()
  } finally {
    example.dispose()
  }
}

class RunningExample {
  readonly #manager: ServiceManager
  readonly #folder: string
  readonly #program: string
  readonly #env: Record<string, string> = {}
  readonly #sockets: { readonly name: string; readonly fd: number }[] = []
  #child: ChildProcess | undefined
  #output = ''
  #hasEnded = false

  constructor(program: string) {
    this.#folder = mkdtempSync(join(dirname(program), 'run-'))
    this.#manager = new ServiceManager(join(this.#folder, 'notify'))
    this.#program = withOwnPaths(program, this.#folder)
  }

  start(): void {
    const passed = [...this.#sockets, ...this.#manager.stored]
    const env = {
      PATH: process.env['PATH'],
      NOTIFY_SOCKET: this.#manager.address,
      SDBRIDGE_PORT_FILE: join(this.#folder, 'port'),
      ...(passed.length > 0 && {
        LISTEN_FDS: String(passed.length),
        LISTEN_FDNAMES: passed.map(({ name }) => name).join(':'),
      }),
      ...this.#env,
    }
    // As the embedded manager starts a service: LISTEN_PID is known in the process alone.
    const script = '[ -z "$LISTEN_FDS" ] || export LISTEN_PID=$$; exec "$0" "$@"'
    const args = ['-c', script, process.execPath, '--import', ANY_PORT, this.#program]
    this.#hasEnded = false
    this.#child = spawn('/bin/sh', args, {
      env,
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe', ...passed.map(({ fd }) => fd)],
    })
    const write = (chunk: Buffer): void => void (this.#output += String(chunk))
    this.#child.stdout!.on('data', write)
    this.#child.stderr!.on('data', write)
    this.#child.on('close', () => (this.#hasEnded = true))
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'env': {
        Object.assign(this.#env, step.variables)
        break
      }
      case 'file': {
        writeFileSync(this.#ownPath(step.path), `${step.text}\n`)
        break
      }
      case 'socket': {
        const { name, setting, value } = step
        const { fd, port } = openSocket(setting, value, (path) => this.#ownPath(path))
        this.#sockets.push({ name, fd })
        if (port !== undefined) writeFileSync(join(this.#folder, 'port'), String(port))
        break
      }
      case 'ask': {
        this.#check('the answer', await ask(this.#ownPath(step.path), step.text), step.answer)
        break
      }
      case 'write': {
        writeFileSync(this.#ownPath(step.path), `${step.text}\n`)
        break
      }
      case 'expect': {
        await this.#expect(step.lines, step.fdCount)
        break
      }
      case 'signal': {
        this.#child!.kill(step.signal)
        break
      }
      case 'output': {
        await this.#until(`it writes "${step.text}"`, () => this.#output.includes(step.text))
        break
      }
      case 'request': {
        await this.#until('it listens', () => existsSync(join(this.#folder, 'port')))
        const port = readFileSync(join(this.#folder, 'port'), 'utf8')
        const response = await fetch(`http://localhost:${port}${step.path}`)
        this.#check('the answer', (await response.text()).trim(), step.answer)
        break
      }
      case 'connect': {
        const path = this.#ownPath(step.path)
        await this.#until(`${step.path} is there`, () => existsSync(path))
        this.#check('the answer', (await answerAt(path, TIMEOUT_MS)).trim(), step.answer)
        break
      }
      case 'datagram': {
        const path = this.#ownPath(step.path)
        await this.#until(`${step.path} is there`, () => existsSync(path))
        const socket = new DatagramSocket('unix')
        socket.trySend(Buffer.from(step.text), { address: { family: 'unix', path } })
        socket.close()
        break
      }
      case 'exit': {
        await this.#exit(step.outcome)
        break
      }
      case 'restart': {
        await this.#exit(0)
        rmSync(join(this.#folder, 'port'), { force: true })
        this.start()
        break
      }
      case 'needs':
      case 'fragment': {
        break
      }
    }
  }

  /** Waits for the end of the program, if no step has, and looks at what was said and not expected. */
  async end(): Promise<void> {
    if (this.#child !== undefined) await this.#exit(0)
    this.#manager.readNow()
    if (this.#manager.unheard.length > 0) {
      throw this.#failure(`it also said ${this.#manager.unheard.join(' and ')}`)
    }
  }

  dispose(): void {
    this.#child?.kill('SIGKILL')
    this.#manager.close()
    for (const { fd } of this.#sockets) closeFd(fd)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #expect(lines: readonly string[], fdCount: number): Promise<void> {
    const expected = textOf({ lines, fdCount })
    const wantsPing = expected === 'WATCHDOG=1'
    let said = this.#manager.next(wantsPing)
    await this.#until(`it says ${expected}`, () => {
      said ??= this.#manager.next(wantsPing)
      return said !== undefined
    })
    this.#check('what it said', textOf(said!), expected)
  }

  async #exit(outcome: number | NodeJS.Signals): Promise<void> {
    await this.#until('it ends', () => this.#hasEnded)
    const { exitCode, signalCode } = this.#child!
    this.#check('how it ended', String(signalCode ?? exitCode), String(outcome))
    this.#child = undefined
  }

  async #until(what: string, isDone: () => boolean): Promise<void> {
    const end = performance.now() + TIMEOUT_MS
    while (!isDone()) {
      this.#manager.readNow()
      if (isDone()) return
      const isTooLate = performance.now() > end
      // Nothing more will come of it.
      if (isTooLate || (this.#hasEnded && !what.includes('ends'))) {
        throw this.#failure(`${isTooLate ? 'in vain' : 'it ended'} while waiting until ${what}`)
      }
      await delay(5)
    }
  }

  #check(what: string, found: string, expected: string): void {
    if (matches(found, expected)) return
    throw this.#failure(`${what} is "${found}", and the documentation has "${expected}"`)
  }

  #failure(problem: string): Error {
    const unheard = this.#manager.unheard.join('\n') || '(nothing)'
    return new Error(`${problem}\nnot expected yet: ${unheard}\noutput:\n${this.#output}`)
  }

  #ownPath(path: string): string {
    const own = join(this.#folder, path)
    mkdirSync(dirname(own), { recursive: true })
    return own
  }
}

const ANY_PORT = fileURLToPath(new URL('fixtures/any-port.mjs', import.meta.url))

function isPreparation({ kind }: Step): boolean {
  return kind === 'env' || kind === 'file' || kind === 'socket'
}

// Files of the system, which belong to somebody else here, lie in the folder of the run.
function withOwnPaths(program: string, folder: string): string {
  const own = program.replace(/(?=\.m?js$)/, `-${folder.slice(-6)}`)
  const code = readFileSync(program, 'utf8')
  writeFileSync(
    own,
    code.replaceAll(/(?<=['"`])(?=\/(?:run|tmp|etc|var|srv)\/)/g, () => folder),
  )
  for (const path of ['run', 'tmp', 'etc', 'var', 'srv']) mkdirSync(join(folder, path))
  return own
}

// `...` stands for any text.
function matches(found: string, expected: string): boolean {
  const parts = expected
    .split('...')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(found)
}
