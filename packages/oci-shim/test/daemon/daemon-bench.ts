import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { closeForeignFds, DatagramSocket } from '@sdbridge/syscalls'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../../../test/support/temporary-directory.js'
import type { ContainerEvent } from '../../src/control/control-message.js'
import { Containers } from '../../src/daemon/containers.js'
import { ManagerWay } from '../../src/daemon/manager-way.js'
import type { Places } from '../../src/daemon/places.js'
import { SocketStore } from '../../src/daemon/socket-store.js'
import type { UnitFacts } from '../../src/daemon/unit-facts.js'

/** The containers of a daemon for one test, between a manager's socket and payloads; in place of a unit's main process there is any that the test has started. */
export class DaemonBench {
  readonly directory: string = temporaryDirectory()
  readonly places: Places = {
    notifyBase: join(this.directory, 'notify'),
    runtime: join(this.directory, 'run'),
    allowList: join(this.directory, 'units'),
    metrics: join(this.directory, 'metrics.sock'),
  }
  readonly events: Omit<ContainerEvent, 'time'>[] = []
  readonly told: string[] = []
  /** Units whose containers were to be removed. */
  readonly removed: string[] = []
  readonly containers: Containers
  readonly way: ManagerWay
  readonly store: SocketStore

  constructor(
    managerPath: string,
    { places, storeLimit = 0 }: { places?: Places; storeLimit?: number } = {},
  ) {
    if (places !== undefined) this.places = places
    this.way = new ManagerWay(managerPath)
    this.store = new SocketStore(storeLimit)
    this.containers = new Containers({
      places: this.places,
      way: this.way,
      store: this.store,
      onEvent: (event) => this.events.push(event),
      tell: (message) => this.told.push(message),
      removeContainerOf: (unit) => this.removed.push(unit),
    })
    onTestFinished(() => this.close())
  }

  close(): void {
    this.containers.close()
    this.way.close()
  }

  async register(name: string, facts: UnitFacts, options: object = {}): Promise<Payload> {
    const container = { id: `id-${name}`, engine: 'runc' }
    const request = { command: 'register', name, container, ...options } as const
    const { socket } = await this.containers.register(request, facts, 'cgroup')
    return new Payload(socket)
  }

  get eventNames(): string[] {
    return this.events.map(({ event }) => event)
  }
}

/** What speaks in a container. */
export class Payload {
  readonly #socket = new DatagramSocket('unix')

  constructor(path: string) {
    this.#socket.connect({ family: 'unix', path })
    onTestFinished(() => this.#socket.close())
  }

  trySend(text: string, fds: readonly number[] = []): boolean {
    return this.#socket.trySend(Buffer.from(text), fds.length > 0 ? { fds } : {})
  }

  /** Waits where the socket's queue is full. */
  async send(text: string, fds: readonly number[] = []): Promise<void> {
    while (!this.trySend(text, fds)) {
      await new Promise<void>((resolve) => this.#socket.onceWritable(resolve))
    }
  }
}

/** A process that a test has in the place of a unit's main one. */
export class MainProcess {
  readonly pid: number
  readonly #child: ChildProcess

  constructor() {
    this.#child = spawn('sleep', ['1000'], { stdio: 'ignore' })
    this.pid = this.#child.pid!
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  facts(unit = 'web.service'): UnitFacts {
    const line = readFileSync(`/proc/${this.pid}/cgroup`, 'utf8')
    const cgroup = /^(?:0:|\d+:name=systemd):(.*)$/m.exec(line)?.[1] ?? '/'
    return { unit, mainPid: this.pid, invocation: `run-of-${unit}`, cgroup, hasStore: true }
  }

  /** Ends it, and waits for it. */
  async end(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** Closes what a test has got. */
export function closeWithTest(fds: readonly number[]): void {
  onTestFinished(() => closeForeignFds(fds))
}
