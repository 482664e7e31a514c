import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { PYTHON } from '../../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'
import { type LauncherPaths, launcherScript } from '../../dist/wrapper/launcher-script.js'
import { SDBRIDGE } from '../run/unit.js'

/** What a low-level runtime was started with. */
export interface Recorded {
  args: string[]
  env: string[]
  cwd: string
  /** What each is, and its flags as fcntl(2) tells them, by its number. */
  fds: Record<number, string>
  /** `SigBlk` and `SigIgn` of /proc/PID/status. */
  signals: string[]
  /** The lines of /proc/PID/limits. */
  limits: string[]
  /** What else survives an execve(2). */
  others: string[]
  pid: number
}

/** How a runtime is called. */
export interface Call {
  env?: Record<string, string>
  cwd?: string
  /** Files that are open, by the number of the descriptor. */
  fds?: Record<number, string>
  /** Descriptors that are not. */
  closed?: number[]
  ignored?: number[]
  blocked?: number[]
  /** Name, soft and hard. */
  limits?: [name: string, soft: number, hard: number][]
  umask?: number
  parentDeathSignal?: number
}

export interface Outcome {
  pid: number | undefined
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** `undefined` if there was no becoming the low-level runtime. */
  recorded: Recorded | undefined
}

const CALLER = fileURLToPath(new URL('call.py', import.meta.url))

/** A program in place of runc or crun that records what it is started with, and the launcher that stands in for it. */
export class LowLevel {
  readonly directory = temporaryDirectory()
  readonly path: string
  readonly launcher: string

  constructor(name: 'runc' | 'crun' = 'runc', paths: Partial<LauncherPaths> = {}) {
    this.path = join(this.directory, name)
    this.launcher = join(this.directory, 'launcher')
    copyFileSync(recorder(), this.path)
    const script = launcherScript({
      lowLevel: this.path,
      node: process.execPath,
      sdbridge: SDBRIDGE,
      grep: grep(),
      ...paths,
    })
    writeFileSync(this.launcher, script)
    chmodSync(this.launcher, 0o755)
  }

  /** Calls the runtime by its launcher. */
  call(args: readonly string[], how?: Call): Promise<Outcome> {
    return this.callBy([this.launcher], args, how)
  }

  /** Calls it as if there were no launcher. */
  callDirectly(args: readonly string[], how?: Call): Promise<Outcome> {
    return this.callBy([this.path], args, how)
  }

  async callBy(
    program: readonly string[],
    args: readonly string[],
    { parentDeathSignal = 0, umask = 0o22, ...how }: Call = {},
  ): Promise<Outcome> {
    const record = `${this.path}.record`
    rmSync(record, { force: true })
    const call = {
      argv: [...program, ...args],
      env: { PATH: '/usr/bin:/bin' },
      cwd: this.directory,
      fds: {},
      closed: [],
      ignored: [],
      blocked: [],
      limits: [],
      parentDeathSignal,
      umask,
      ...how,
    }
    const child = spawn(PYTHON, ['-ISu', CALLER, JSON.stringify(call)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = Promise.all([text(child.stdout), text(child.stderr)])
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    const [stdout, stderr] = await output
    const recorded = existsSync(record) ? parseRecord(readFileSync(record, 'utf8')) : undefined
    return { pid: child.pid, code, signal, stdout, stderr, recorded }
  }

  /** A bundle with this configuration, or this text in place of it. */
  bundle(name: string, config: object | string): string {
    const directory = join(this.directory, name)
    mkdirSync(directory, { recursive: true })
    writeFileSync(
      join(directory, 'config.json'),
      typeof config === 'string' ? config : JSON.stringify(config),
    )
    return directory
  }
}

function parseRecord(record: string): Recorded {
  const lines = record.trimEnd().split('\n')
  const all = (key: string): string[] =>
    lines
      .filter((line) => line.startsWith(`${key} `))
      .map((line) =>
        line.slice(key.length + 1).replaceAll(/\\(.)/g, (_, each) => (each === 'n' ? '\n' : each)),
      )
  const fds = all('fd').map((line) => {
    const [, number = '', rest = ''] = /^(\d+) (.*)$/s.exec(line) ?? []
    return [Number(number), rest.replace(/:\[\d+\]$/, '')] as const
  })
  return {
    args: all('arg'),
    env: all('env'),
    cwd: all('cwd')[0] ?? '',
    fds: Object.fromEntries(fds),
    signals: all('signals'),
    limits: all('limit'),
    others: all('other'),
    pid: Number(all('pid')[0]),
  }
}

let compiled: string | undefined

/** The program, compiled once. */
function recorder(): string {
  if (compiled === undefined) {
    const directory = mkdtempSync(join(tmpdir(), 'sdbridge-test-'))
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
    compiled = join(directory, 'record')
    const source = fileURLToPath(new URL('record.c', import.meta.url))
    execFileSync('cc', ['-O1', '-Wall', '-o', compiled, source])
  }
  return compiled
}

function grep(): string {
  return ['/usr/bin/grep', '/bin/grep'].find((each) => existsSync(each)) ?? 'grep'
}
