import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { ContainerHost } from './container-host.js'
import type { Container, EngineName } from './container.js'
import { engineCommand } from './engine-command.js'
import type { Payload } from './payload.js'

const LONGEST_WAIT_MS = 30_000

export interface BridgedServiceOptions {
  /** For the section `[Service]`, where the later of two wins. */
  settings?: string
  /** Of `sdbridge run`. */
  bridge?: string[]
  container?: Partial<Container>
  /** In place of `sdbridge run … -- docker run …`. */
  execStart?: string[]
}

/** A unit whose main process is `sdbridge run` with a container. */
export class BridgedService {
  readonly unit: string
  /** What tells it from others: the unit's name without its ending, which is also that of a bundle. */
  readonly id: string
  readonly engine: EngineName
  readonly host: ContainerHost
  /** The .socket units that belong to it, by their names. */
  readonly sockets = new Set<string>()

  /** Writes the unit; the container runs a `Payload`, unless it says otherwise. */
  static async write(
    host: ContainerHost,
    engine: EngineName,
    name: string,
    options: BridgedServiceOptions = {},
  ): Promise<BridgedService> {
    const service = new BridgedService(host, engine, `${name}-${engine}`)
    host.services.add(service)
    const execStart = options.execStart ?? (await service.#command(options))
    const cleanup = [...host.sdbridge, 'cleanup']
    await host.machine.writeUnit(
      service.unit,
      `[Service]
Type=notify
NotifyAccess=main
ExecStart=${execStart.map(quoted).join(' ')}
ExecStopPost=${cleanup.map(quoted).join(' ')}
Delegate=yes
KillMode=mixed
TimeoutStartSec=60
TimeoutStopSec=30
LimitCORE=0
${options.settings ?? ''}
`,
    )
    return service
  }

  /** For `write()`. */
  constructor(host: ContainerHost, engine: EngineName, id: string) {
    this.host = host
    this.engine = engine
    this.id = id
    this.unit = `${id}.service`
  }

  /** The command line of a container whose payload arrives as this service's. */
  engineCommand(container: Partial<Container> = {}): Promise<string[]> {
    return engineCommand(this.host, this.engine, this.id, {
      argv: this.payloadCommand,
      ...container,
    })
  }

  get payloadCommand(): string[] {
    return ['python3', '/payload/remote.py', this.id]
  }

  /** Starts the service and returns the payload, which has sent nothing yet. */
  async start(): Promise<Payload> {
    await this.systemctl('start', '--no-block')
    return this.payload()
  }

  /** Starts the service; the payload says that it is ready. */
  async startReady(): Promise<Payload> {
    const payload = await this.start()
    await payload.send('READY=1')
    await this.waitFor({ ActiveState: 'active', SubState: 'running' })
    return payload
  }

  /** The next payload of this service; waits until it is there. */
  payload(): Promise<Payload> {
    return this.host.payloads.next(this.id, (signal) => this.#whyNoPayload(signal))
  }

  /** Starts it, and waits until it has ended, as far as it got. */
  async startToTheEnd(): Promise<void> {
    await this.systemctl('start', '--no-block')
    // oxlint-disable-next-line vitest/no-standalone-expect
    await expect
      .poll(() => this.show('ActiveState', 'Job'), { timeout: LONGEST_WAIT_MS })
      .toSatisfy(hasEnded)
  }

  /** Changes the unit file, also under a service that runs. */
  writeDropIn(settings: string): Promise<void> {
    return this.host.machine.writeUnit(`${this.unit}.d/changed.conf`, `[Service]\n${settings}\n`)
  }

  /** `systemctl VERB` with this unit. */
  async systemctl(verb: string, ...options: string[]): Promise<string> {
    const { stdout } = await this.host.machine.run('systemctl', [verb, ...options, this.unit], {
      timeoutMs: 60_000,
    })
    return stdout
  }

  show(...properties: string[]): Promise<Record<string, string>> {
    return this.host.machine.show(this.unit, ...properties)
  }

  /** Of the bridge. */
  async mainPid(): Promise<string> {
    const { MainPID = '0' } = await this.show('MainPID')
    if (MainPID === '0') throw new Error(`${this.unit} has no main process`)
    return MainPID
  }

  waitFor(expected: Record<string, string>): Promise<void> {
    return this.host.machine.waitFor(this.unit, expected, { timeoutMs: LONGEST_WAIT_MS })
  }

  /** Waits until the manager has logged this about the unit. */
  waitForLog(text: string): Promise<void> {
    return this.host.machine.waitForLog(`${this.unit}: ${text}`, { timeoutMs: LONGEST_WAIT_MS })
  }

  /** What the unit's processes wrote, which is what `journalctl -u` shows. */
  output(): string {
    return this.host.machine.output(this.unit)
  }

  waitForOutput(text: string): Promise<void> {
    return this.host.machine.waitForOutput(this.unit, text, { timeoutMs: LONGEST_WAIT_MS })
  }

  /**
   * The notifications that the manager has taken for this unit, in order, as its log has them: assignments with `, `
   * between them. It logs them at the level debug.
   */
  async notifications(): Promise<string[]> {
    const log = await this.host.machine.log()
    return log.split('\n').flatMap((line) => {
      if (!line.includes(`${this.unit}: Got notification`)) return []
      // In brackets at first, behind a colon in later versions.
      const [, said] = /Got notification message from PID \d+:? \(?(.*?)\)?$/.exec(line) ?? []
      return said === undefined ? [] : [said]
    })
  }

  async #command({ bridge = [], container = {} }: BridgedServiceOptions): Promise<string[]> {
    return [...this.host.sdbridge, 'run', ...bridge, '--', ...(await this.engineCommand(container))]
  }

  async #whyNoPayload(signal: AbortSignal): Promise<never> {
    let state: Record<string, string> = {}
    while (!signal.aborted) {
      state = await this.show(
        ...['ActiveState', 'SubState', 'Result', 'ExecMainCode', 'ExecMainStatus', 'Job'],
      )
      if (hasEnded(state) && state['ActiveState'] === 'failed') break
      await delay(200)
    }
    throw new Error(
      `no payload of ${this.unit}: ${JSON.stringify(state)}\n${this.output()}\n` +
        (await this.host.machine.log()).split('\n').slice(-30).join('\n'),
    )
  }
}

/** Not before its start has been tried: until then it is as an earlier one has left it. */
function hasEnded({ ActiveState = '', Job = '' }: Record<string, string>): boolean {
  return /^(failed|inactive)$/.test(ActiveState) && /^0?$/.test(Job)
}

/** As systemd.service(5) reads it. */
function quoted(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  if (/^[\w@%+=:,./-]+$/.test(word)) return plain
  return `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
