import type { ParsedAssignments } from '@sdbridge/notify/relay'
import { type DatagramSocket } from '@sdbridge/syscalls'
import type { ContainerEvent, ContainerStatus } from '../control/control-message.js'
import type { DescriptorTable } from '../proxy/descriptor-table.js'
import type { Drop } from '../proxy/drop.js'
import type { ProxyCounters } from '../proxy/proxy-counters.js'
import type { ManagerWay } from './manager-way.js'
import { type Progress, SpokenState, sumOf } from './progress.js'
import type { Registration } from './registration.js'
import { Relay } from './relay.js'
import type { UnitProcess } from './unit-process.js'

/** In front of the names of what a container stores, as a bridge of its own has it. */
const STORE_PREFIX = 'sdbridge.'

export interface BridgedContainerOptions {
  readonly registration: Registration
  /** Bound at the container's directory. Taken over. */
  readonly socket: DatagramSocket
  /** Taken over. */
  readonly unitProcess: UnitProcess
  readonly way: ManagerWay
  /** Of this process, for all containers. */
  readonly table: DescriptorTable
  readonly onEvent: (event: Omit<ContainerEvent, 'time'>) => void
  /** Its socket fails. */
  readonly onError: (error: Error) => void
}

/** A container that is bridged: its socket, its unit, and what it has said. */
export class BridgedContainer {
  readonly registration: Registration
  readonly unitProcess: UnitProcess
  readonly #relay: Relay
  readonly #spoken: SpokenState
  readonly #before: Progress['counters'] | undefined
  readonly #onEvent: BridgedContainerOptions['onEvent']
  #isEnding = false

  constructor(options: BridgedContainerOptions) {
    const { registration, socket, table, unitProcess, way, onError, onEvent } = options
    this.registration = registration
    this.unitProcess = unitProcess
    this.#spoken = new SpokenState(registration.progress)
    this.#before = registration.progress?.counters
    this.#onEvent = onEvent
    this.#relay = new Relay({
      ...{ socket, table, way, unitProcess, onError },
      storePrefix: registration.hasStore ? STORE_PREFIX : undefined,
      onForwarded: (said) => this.#hear(said),
      onDropped: (drop) => this.#tellDrop(drop),
    })
  }

  get name(): string {
    return this.registration.name
  }

  /** It has ended, or its unit has: what is in its socket still goes on. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  get counters(): ProxyCounters {
    return sumOf(this.#before, this.#relay.counters)
  }

  get status(): ContainerStatus {
    const { container, name, registeredAt, unit } = this.registration
    const { droppedFields, droppedMessages, forwarded, received, waiting } = this.counters
    const { pingedAt, readyAt, state, status } = this.#spoken
    return {
      ...{ name, container, unit },
      mainPid: this.unitProcess.identity.pid,
      state: this.#isEnding ? 'ending' : state,
      ...(status !== undefined && { status }),
      registeredAt,
      ...(readyAt !== undefined && { readyAt }),
      ...(pingedAt !== undefined && { pingedAt }),
      ...{ received, forwarded, waiting, droppedMessages, droppedFields },
    }
  }

  /** What the next run of the daemon is to know. */
  get progress(): Progress {
    const { pingedAt, readyAt, state, status } = this.#spoken
    const { waiting: _, ...counters } = this.counters
    return {
      state,
      ...(status !== undefined && { status }),
      ...(readyAt !== undefined && { readyAt }),
      ...(pingedAt !== undefined && { pingedAt }),
      counters,
    }
  }

  /** Resolves when all that it has sent is with the service manager. */
  async drain(): Promise<void> {
    this.#isEnding = true
    await this.#relay.drained()
  }

  /** What was not taken from its socket stays in the kernel, where the service manager has the socket, too. */
  close(): void {
    this.#relay.close()
    this.unitProcess.close()
  }

  #hear(said: ParsedAssignments): void {
    const change = this.#spoken.hear(said)
    if (change !== undefined) this.#tell(change)
  }

  #tellDrop({ field, reason, text }: Drop): void {
    this.#tell({ event: 'dropped', text: `${field ?? 'a message'}: ${reason}: ${text}` })
  }

  #tell(event: Pick<ContainerEvent, 'event' | 'text'>): void {
    this.#onEvent({ ...event, name: this.name, unit: this.registration.unit })
  }
}
