import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { closeFd, closeForeignFds, DatagramSocket, type ReceivedMessage } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'
import { until } from '../proxy/bench.js'
import { program } from '../proxy/program.js'

/** What has arrived of one container, in the name of its unit. */
export interface ArrivedMessage {
  readonly container: number
  readonly count: number
  readonly hasFds: boolean
}

/**
 * The service manager, for a daemon of which each message is counted: it starts and kills it, keeps what it stores, and passes that to the next one, as PID 1
 * does.
 */
export class StoreManager {
  readonly directory: string
  readonly #path: string
  readonly #cgroup: string
  readonly #mainPids: ReadonlySet<number>
  readonly #onMessage: (message: ArrivedMessage) => void
  readonly #socket = new DatagramSocket('unix')
  readonly #stored = new Map<string, number>()
  readonly #lines: string[] = []
  #daemon: ChildProcess | undefined
  /** It has ended, and nobody has ended it. */
  #hasDied = false
  /** Also of those that were killed, which may have sent more than has been read. */
  readonly #daemonPids = new Set<number>()
  /** Of containers. */
  received = 0
  /** What was in the name of none of the main processes, nor of the daemon. */
  readonly foreign: string[] = []

  /** @param mainPids In whose names messages of containers must be. */
  constructor(
    directory: string,
    cgroup: string,
    mainPids: readonly number[],
    onMessage: (message: ArrivedMessage) => void,
  ) {
    this.directory = directory
    this.#path = join(directory, 'manager.sock')
    this.#cgroup = cgroup
    this.#mainPids = new Set(mainPids)
    this.#onMessage = onMessage
    this.#socket.bind({ family: 'unix', path: this.#path })
    this.#socket.receive({
      onMessages: (batch) => batch.forEach((message) => this.#take(message)),
      onError: (error) => {
        throw error
      },
    })
    onTestFinished(() => {
      this.#daemon?.kill('SIGKILL')
      this.#socket.close()
      for (const fd of this.#stored.values()) closeFd(fd)
    })
  }

  get storeSize(): number {
    return this.#stored.size
  }

  /** Starts the daemon, with all that it has stored. */
  start(): void {
    const stored = [...this.#stored]
    this.#lines.length = 0
    this.#daemon = spawn(
      process.execPath,
      [program('../daemon/bridge-containers.mjs'), this.directory, this.#cgroup],
      {
        stdio: ['pipe', 'pipe', 'inherit', ...stored.map(([, fd]) => fd)],
        env: {
          ...process.env,
          NOTIFY_SOCKET: this.#path,
          ...(stored.length > 0 && {
            LISTEN_FDS: `${stored.length}`,
            LISTEN_FDNAMES: stored.map(([name]) => name).join(':'),
          }),
        },
      },
    )
    this.#daemon.once('exit', (code) => (this.#hasDied ||= code !== null && code !== 0))
    this.#daemonPids.add(this.#daemon.pid!)
    const lines = this.#lines
    createInterface(this.#daemon.stdout!).on('line', (line) => lines.push(line))
  }

  /** Waits until it bridges so many containers. */
  bridges(count: number): Promise<void> {
    return this.#until(() => this.#lines.includes(`bridges ${count}`))
  }

  /** Waits until it has taken up what there was. */
  saysSomething(): Promise<void> {
    return this.#until(() => this.#lines.length > 0)
  }

  /** @throws Error if the daemon has ended by itself. */
  #until(isSo: () => boolean): Promise<void> {
    return until(() => {
      if (this.#hasDied) throw new Error('the daemon has ended')
      return isSo()
    })
  }

  register(mainPid: number, names: readonly string[]): void {
    this.#daemon!.stdin!.write(`${[mainPid, ...names].join(' ')}\n`)
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const daemon = this.#daemon!
    const exit = once(daemon, 'exit')
    daemon.kill(signal)
    await exit
  }

  #take({ data, fds, sender }: ReceivedMessage): void {
    const text = data.toString()
    const { pid = 0 } = sender ?? {}
    if (this.#daemonPids.has(pid)) {
      if (this.#store(text, fds)) return
    } else if (this.#mainPids.has(pid)) {
      const [, container, count] = /^STATUS=(\d+) (\d+)$/m.exec(text) ?? []
      this.received++
      const hasFds = fds.length > 0
      this.#onMessage({ container: Number(container), count: Number(count), hasFds })
    } else {
      this.foreign.push(`${pid}: ${text}`)
    }
    closeForeignFds(fds)
  }

  /** Returns whether it has kept the descriptor. */
  #store(text: string, fds: readonly number[]): boolean {
    const [, name = ''] = /^FDNAME=(.*)$/m.exec(text) ?? []
    if (text.startsWith('FDSTOREREMOVE=1')) {
      closeFd(this.#stored.get(name)!)
      this.#stored.delete(name)
    }
    if (!text.startsWith('FDSTORE=1')) return false
    this.#stored.set(name, fds[0]!)
    return true
  }
}
