import { execFileSync, spawnSync, type StdioOptions } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runQuietly } from '../../../../test/support/run-quietly.js'

export interface RunOptions {
  NOTIFY_SOCKET: string
  /** Run it as the user nobody; for this one must be root. */
  asNobody?: boolean
  /** Descriptors that the program gets, from number 3 on. */
  fds?: readonly number[]
  /** Have {@link Systemd.sends} tell what the program gave to the kernel. */
  record?: boolean
}

/** What a program gave to the kernel, by record-sends.c. */
export interface RecordedCall {
  call: 'connect' | 'sendmsg'
  errno: number
  bytes: number
  flags: number
  /** SO_SNDBUF at that time. */
  sendBuffer: number
  /** The bytes of a struct sockaddr, in hexadecimal digits; empty on a connected socket. */
  address: string
  control: string[]
}

/**
 * The real systemd to compare with: systemd-notify(1), libsystemd, and the functions of the service manager. Of this
 * machine, or of another root file system, for which one must be root.
 */
export class Systemd {
  readonly #root: string | undefined
  /** Our C programs; a root file system shows it as /mnt. */
  readonly #programs = mkdtempSync(join(tmpdir(), 'sdbridge-conformance-'))
  readonly version: number
  /** The service manager's private library; undefined where it is not installed. */
  readonly sharedLibrary: string | undefined

  constructor(root?: string) {
    this.#root = root
    const [program, ...args] = this.#command('systemd-notify', ['--version'])
    const text = execFileSync(program!, args, { encoding: 'utf8' })
    this.version = Number(/^systemd (\d+)/.exec(text)![1])
    this.sharedLibrary = this.#findSharedLibrary()
    // For others too.
    chmodSync(this.#programs, 0o755)
    writeFileSync(join(this.#programs, 'record'), '')
    chmodSync(join(this.#programs, 'record'), 0o666)
    this.#compile('call-libsystemd.c', 'call-libsystemd')
    this.#compile('systemd-parsers.c', 'systemd-parsers')
    this.#compile('record-sends.c', 'record-sends.so', '-shared', '-fPIC')
  }

  /** Removes what was compiled. */
  dispose(): void {
    rmSync(this.#programs, { recursive: true })
  }

  /** Runs systemd-notify(1) to its end. */
  async notify(args: readonly string[], options: RunOptions): Promise<void> {
    await this.#run('systemd-notify', args, options)
  }

  /** Calls a function of sd-daemon.h, as call-libsystemd.c says; its states are given as they are. */
  async call(
    words: readonly [string, ...(string | Buffer)[]],
    options: RunOptions,
  ): Promise<number> {
    const args = words.map((word) => (typeof word === 'string' ? word : word.toString('hex')))
    return Number(await this.#run(this.#inside('call-libsystemd'), args, options))
  }

  /** Runs any program of this machine as the others, to record it. */
  async runOther(program: string, args: readonly string[], options: RunOptions): Promise<void> {
    await this.#runHere([program, ...args], options, this.#programs)
  }

  /** What recorded programs gave to the kernel, since the last look. */
  sends(): RecordedCall[] {
    const path = join(this.#programs, 'record')
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    truncateSync(path)
    return lines.map((line) => JSON.parse(line) as RecordedCall)
  }

  /**
   * What the manager's functions say, one answer for each text; undefined where the text is not valid.
   *
   * @param kind As systemd-parsers.c says.
   */
  ask(kind: string, texts: readonly Uint8Array[]): (Buffer | undefined)[] {
    if (this.sharedLibrary === undefined) throw new Error('there is no library to ask')
    const questions = texts.flatMap((text) => [Buffer.from(kind), length(text), text])
    const [program = '', ...args] = this.#command(this.#inside('systemd-parsers'), [
      this.sharedLibrary,
    ])
    const input = Buffer.concat(questions)
    // What the manager logs of messages that it drops goes to standard error.
    const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 2 ** 30 })
    if (status !== 0) throw new Error(`systemd-parsers: ${status} ${stderr.toString()}`)
    const answers: (Buffer | undefined)[] = []
    for (let at = 0; at < stdout.length;) {
      const end = at + 4 + stdout.readUInt32LE(at)
      const answer = stdout.subarray(at + 4, end)
      answers.push(answer.toString() === '!' ? undefined : answer)
      at = end
    }
    return answers
  }

  async #run(program: string, args: readonly string[], options: RunOptions): Promise<string> {
    const programs = this.#root === undefined ? this.#programs : '/mnt'
    const words = options.asNobody === true ? [...AS_NOBODY, program, ...args] : [program, ...args]
    return this.#runHere(this.#command(words[0]!, words.slice(1)), options, programs)
  }

  async #runHere(
    [program = '', ...args]: readonly string[],
    { NOTIFY_SOCKET, fds = [], record = false }: RunOptions,
    programs: string,
  ): Promise<string> {
    const env = {
      PATH: process.env['PATH'],
      NOTIFY_SOCKET,
      ...(record && {
        LD_PRELOAD: `${programs}/record-sends.so`,
        SDBRIDGE_RECORD: `${programs}/record`,
      }),
    }
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...fds]
    return runQuietly(program, args, { env, stdio })
  }

  #command(program: string, args: readonly string[]): string[] {
    if (this.#root === undefined) return [program, ...args]
    const script =
      'mount --bind /proc "$0/proc"; mount --bind "$1" "$0/mnt"; root=$0; shift; exec chroot "$root" "$@"'
    const inside = [this.#root, this.#programs, program, ...args]
    return ['unshare', '--mount', 'sh', '-ec', script, ...inside]
  }

  #inside(program: string): string {
    return join(this.#root === undefined ? this.#programs : '/mnt', program)
  }

  #compile(source: string, output: string, ...flags: string[]): void {
    const file = fileURLToPath(new URL(source, import.meta.url))
    const all = ['-std=c11', '-O1', '-Wall', '-Wextra', '-Werror', ...flags]
    execFileSync('cc', [...all, file, '-o', join(this.#programs, output), '-ldl'])
  }

  #findSharedLibrary(): string | undefined {
    const root = this.#root ?? '/'
    const below = readdirSync(join(root, 'usr/lib')).map((each) => `usr/lib/${each}`)
    const folders = ['usr/lib', 'usr/lib64', ...below].map((each) => join(each, 'systemd'))
    // Fedora has the whole version in its name.
    const name = new RegExp(`^libsystemd-shared-${this.version}\\b.*\\.so$`)
    const files = folders
      .filter((each) => existsSync(join(root, each)) && statSync(join(root, each)).isDirectory())
      .flatMap((each) => readdirSync(join(root, each)).map((file) => join(each, file)))
    const file = files.find((each) => name.test(basename(each)))
    return file === undefined ? undefined : join('/', file)
  }
}

const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

function length(text: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(text.length)
  return bytes
}
