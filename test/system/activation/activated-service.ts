import { readFile, rm } from 'node:fs/promises'
import { onTestFinished, vi } from 'vitest'
import type { Machine } from '../machine/machine.js'
import { inside } from '../repository.js'

const PROGRAM = inside('test/system/fixtures/listen-kinds-service.mjs')

/** A descriptor that a service was passed. */
export interface PassedFd {
  fd: number
  name: string
  kind: string
  family?: string | number
  listening: boolean
  address?: string
  /** Its flags when `listenFds()` had returned. */
  cloexec: boolean
  nonBlocking: boolean
  /** Of what `connection()` has returned. */
  remoteAddress?: string
  remotePort?: number
  socketCookie?: string
}

/** What a service says first: see fixtures/listen-kinds-service.mjs. */
export interface Report {
  fds: PassedFd[]
  pid: number
  uid: number
  /** Whether LISTEN_PIDFDID, if there is one, names it. */
  isOwnPidfdId?: boolean
  /** The variables of the protocol before `listenFds()`, and after it. */
  announced: Record<string, string>
  left: Record<string, string>
  /** What a program that it started found of its descriptors and variables. */
  child: { descriptors: string[]; variables: string[] }
}

export interface Sections {
  /** For `[Socket]`; without it there is no .socket unit. With `Accept=yes` the service is a template. */
  socket?: string
  /** Whether the .socket unit is started. Default true. */
  isStarted?: boolean
  /** For `[Socket]` of a second .socket unit. */
  secondSocket?: string
  /** For `[Service]`. */
  service?: string
  /** Words for the program. */
  args?: string
  /** Makes `ExecStart=` of the command that starts the program. Default: just that. */
  launch?: (command: string) => string
}

/** The generic service of fixtures/listen-kinds-service.mjs, with its .socket unit, for one test. */
export class ActivatedService {
  readonly name: string
  readonly #machine: Machine
  readonly #output: string

  /** Writes its unit files, and starts the .socket unit. */
  static async write(
    machine: Machine,
    name: string,
    {
      socket,
      secondSocket,
      isStarted = true,
      service = '',
      args = '',
      launch = (command) => command,
    }: Sections,
  ): Promise<ActivatedService> {
    const activated = new ActivatedService(machine, name)
    await rm(activated.#output, { force: true })
    const isTemplate = /^Accept=yes$/m.test(socket ?? '')
    await machine.writeUnit(
      `${name}${isTemplate ? '@' : ''}.service`,
      `[Service]
Type=notify
ExecStart=${launch(`${machine.nodePath} ${PROGRAM} ${args}`)}
StandardOutput=append:/run/%p.output
StandardError=journal
LimitCORE=0
TimeoutStartSec=30
${service}
`,
    )
    for (const [unit, text] of [
      [`${name}.socket`, socket],
      [`${name}-2.socket`, secondSocket],
    ]) {
      if (text === undefined) continue
      const target = isTemplate ? '' : `Service=${name}.service`
      await machine.writeUnit(unit!, `[Socket]\n${target}\n${text}\n`)
      if (isStarted) await machine.systemctl('start', unit!)
    }
    onTestFinished(() => activated.#stop())
    return activated
  }

  /** For `write()`. */
  constructor(machine: Machine, name: string) {
    this.#machine = machine
    this.name = name
    this.#output = machine.path(`/run/${name}.output`)
  }

  /** `systemctl VERB` with the .service unit. */
  systemctl(verb: string): Promise<string> {
    return this.#machine.systemctl(verb, `${this.name}.service`)
  }

  /** What its latest process was passed. */
  async report(): Promise<Report> {
    return (await this.told('fds')) as unknown as Report
  }

  /** The latest of the things of a sort that its processes have told; waits for the first. */
  async told(sort: string): Promise<Record<string, unknown>> {
    return vi.waitFor(
      async () => {
        const output = await readFile(this.#output, 'utf8')
        const last = output
          .slice(0, output.lastIndexOf('\n'))
          .split('\n')
          // npm writes beside it.
          .filter((line) => line.startsWith('{'))
          .map((line) => JSON.parse(line) as Record<string, unknown>)
          .findLast((line) => sort in line)
        if (last === undefined) throw new Error(`${this.name} has not told "${sort}":\n${output}`)
        return last
      },
      { timeout: 20_000 },
    )
  }

  async #stop(): Promise<void> {
    // A pattern may match nothing. The sockets go first: with both in one transaction, systemd before 255 goes round in circles for ever
    // when the service has ended and its ListenSpecial= is always readable, as files in /proc are.
    await this.#machine.systemctl('stop', `${this.name}*.socket`)
    await this.#machine.systemctl('stop', `${this.name}.*`, `${this.name}@*`)
  }
}
