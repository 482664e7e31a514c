import type { Machine } from '../machine/machine.js'
import type { RemoteProcess } from './remote-process.js'
import { remoteProcessesOf, type RemoteProcesses } from './remote-processes.js'

/**
 * A unit whose processes do what a test says, when it says so: then a test reads from top to bottom, what the service
 * sends and what the service manager makes of it.
 */
export class RemoteService {
  readonly unit: string
  readonly #name: string
  readonly #machine: Machine
  readonly #processes: RemoteProcesses

  /**
   * Writes its unit file.
   *
   * @param settings For its section `[Service]`, where the later of two wins. In commands, `/run/remote %N ROLE` is a
   *   remote process.
   */
  static async write(machine: Machine, name: string, settings = ''): Promise<RemoteService> {
    const service = new RemoteService(machine, name, await remoteProcessesOf(machine))
    await machine.writeUnit(
      service.unit,
      `[Service]
Type=notify
ExecStart=/run/remote %N main
LimitCORE=0
TimeoutStartSec=30
${settings}
`,
    )
    return service
  }

  /** For `write()`. */
  constructor(machine: Machine, name: string, processes: RemoteProcesses) {
    this.unit = `${name}.service`
    this.#name = name
    this.#machine = machine
    this.#processes = processes
  }

  /** The next process in this role; waits until it is started. */
  process(role: string): Promise<RemoteProcess> {
    return this.#processes.next(this.#name, role)
  }

  /** Has a process start another one, in a role; the new one has the same environment. */
  async spawn(parent: RemoteProcess, role: string): Promise<RemoteProcess> {
    await parent.run(
      ({ childProcess, once }, args) =>
        once(childProcess.spawn('/run/remote', args, { stdio: 'inherit' }), 'spawn'),
      [this.#name, role],
    )
    return this.process(role)
  }

  /** Starts the service and returns its main process, which has sent nothing yet. */
  async start(): Promise<RemoteProcess> {
    await this.#machine.systemctl('start', '--no-block', this.unit)
    return this.process('main')
  }

  /** Starts the service, whose main process then says that it is ready. */
  async startReady(status = ''): Promise<RemoteProcess> {
    const main = await this.start()
    await main.run(({ notify }, text) => notify.notify({ ready: true, status: text }), status)
    await this.waitFor({ ActiveState: 'active', SubState: 'running' })
    return main
  }

  /** `systemctl VERB` with this unit. */
  systemctl(verb: string, ...options: string[]): Promise<string> {
    return this.#machine.systemctl(verb, ...options, this.unit)
  }

  /**
   * Properties of the unit. The service manager reads notifications before requests: what a process has sent before
   * this call has had its effect.
   */
  show(...properties: string[]): Promise<Record<string, string>> {
    return this.#machine.show(this.unit, ...properties)
  }

  waitFor(expected: Record<string, string>): Promise<void> {
    return this.#machine.waitFor(this.unit, expected, { timeoutMs: 20_000 })
  }

  /** Waits until the manager has logged this about the unit. */
  waitForLog(text: string): Promise<void> {
    return this.#machine.waitForLog(`${this.unit}: ${text}`)
  }
}
