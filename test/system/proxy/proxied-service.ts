import type { Machine } from '../machine/machine.js'
import type { RemoteProcess } from '../remote/remote-process.js'
import { RemoteService } from '../remote/remote-service.js'

/** What a unit's main process and its payload are made with. */
export interface ProxiedOptions {
  /** For the section `[Service]`. */
  settings?: string
  /** Of `NotifyProxy`. */
  mainPid?: boolean
  store?: { prefix: string; limit: number }
  /** More namespaces for the payload, as options of unshare(1). */
  namespaces?: string[]
}

/**
 * A unit whose main process runs a proxy and starts a payload, in a pid namespace of its own, that knows the container socket only.
 * In the main process `kept.proxy` is the proxy, `kept.drops` why something was dropped, and
 * `kept.names` what came from the descriptor store.
 */
export class ProxiedService {
  readonly service: RemoteService
  readonly socket: string
  readonly #name: string
  readonly #options: ProxiedOptions

  static async write(
    machine: Machine,
    name: string,
    options: ProxiedOptions = {},
  ): Promise<ProxiedService> {
    // The first process of a pid namespace heeds no SIGTERM that it has no handler for.
    const settings = `KillMode=mixed\nTimeoutStopSec=20\n${options.settings ?? ''}`
    const service = await RemoteService.write(machine, name, settings)
    return new ProxiedService(service, name, options)
  }

  /** For `write()`. */
  constructor(service: RemoteService, name: string, options: ProxiedOptions) {
    this.service = service
    this.socket = `/run/${name}-notify/notify.sock`
    this.#name = name
    this.#options = options
  }

  /** Starts the unit; nothing has been sent yet. */
  async start(): Promise<{ main: RemoteProcess; payload: RemoteProcess }> {
    return await this.attach(await this.service.start())
  }

  /** What a main process that has just been started does: it makes the proxy, and starts the payload. */
  async attach(main: RemoteProcess): Promise<{ main: RemoteProcess; payload: RemoteProcess }> {
    const { mainPid = false, namespaces = [], store } = this.#options
    const unshare = ['--pid', '--fork', '--kill-child', '--mount-proc', ...namespaces]
    await main.run(
      ({ childProcess, fs, kept, listenFds, ociShim }, options) => {
        fs.mkdirSync(options.directory, { recursive: true })
        const { prefix = '' } = options.store ?? {}
        kept['drops'] = []
        kept['proxy'] = new ociShim.NotifyProxy({
          path: options.socket,
          upstream: process.env['NOTIFY_SOCKET'],
          mainPid: options.mainPid,
          store: options.store,
          init: () => kept['init'],
          onDropped: ({ field, reason }) => kept['drops'].push(`${field ?? 'message'}: ${reason}`),
        })
        // As the bridge passes them on: its own names, without the prefix.
        const inherited = listenFds.listenFds()
        kept['names'] = inherited.map(({ name }) => name)
        const stored = inherited.flatMap(({ fd, name }) => {
          const inside = ociShim.nameWithoutPrefix(prefix, name)
          return inside === undefined ? [] : [{ fd, inside }]
        })
        const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID, LISTEN_PIDFDID, ...env } = process.env
        void [LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID, LISTEN_PIDFDID]
        const child = childProcess.spawn('unshare', options.command, {
          stdio: ['inherit', 'inherit', 'inherit', ...stored.map(({ fd }) => fd)],
          env: {
            ...env,
            NOTIFY_SOCKET: options.socket,
            ...(stored.length > 0 && {
              LISTEN_FDS: String(stored.length),
              LISTEN_FDNAMES: stored.map(({ inside }) => inside).join(':'),
              LISTEN_PID: '1',
            }),
          },
        })
        const children = `/proc/${child.pid}/task/${child.pid}/children`
        const look = (): void => {
          const pid = Number(fs.readFileSync(children, 'utf8').split(' ')[0])
          if (pid > 0) kept['init'] = pid
          else setTimeout(look, 5)
        }
        look()
      },
      {
        directory: `/run/${this.#name}-notify`,
        socket: this.socket,
        mainPid,
        store,
        command: [...unshare, '/run/remote', this.#name, 'payload'],
      },
    )
    return { main, payload: await this.service.process('payload') }
  }
}
