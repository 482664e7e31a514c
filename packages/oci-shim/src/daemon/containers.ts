import { rmSync } from 'node:fs'
import type { DatagramSocket } from '@sdbridge/syscalls'
import type {
  ContainerEvent,
  ContainerStatus,
  RegisteredReply,
  RegisterRequest,
} from '../control/control-message.js'
import { DescriptorTable } from '../proxy/descriptor-table.js'
import { startTicksOf } from '../run/start-ticks.js'
import type { AllowList, Claim } from './allow-list.js'
import { BridgedContainer } from './bridged-container.js'
import { bindContainerSocket } from './container-socket-file.js'
import type { ManagerWay } from './manager-way.js'
import { makeNotifyDirectory } from './notify-directory.js'
import { notifyDirectoryOf, notifySocketOf, type Places } from './places.js'
import { type Registration, RegistrationFiles } from './registration.js'
import type { SocketStore } from './socket-store.js'
import type { UnitFacts } from './unit-facts.js'
import { UnitProcess } from './unit-process.js'

const WRITE_MS = 500
/** At once, and the pause before the next ones. */
const MOST_WRITTEN = 64
const NEXT_WRITE_MS = 1
const OWN_DESCRIPTORS = 64

export interface ContainersOptions {
  readonly places: Places
  readonly way: ManagerWay
  readonly store: SocketStore
  readonly onEvent: (event: Omit<ContainerEvent, 'time'>) => void
  /** For the operator's log. */
  readonly tell: (message: string) => void
  /** Removes the container of a unit whose main process has ended. */
  readonly removeContainerOf: (unit: string) => void
}

/** A container's socket that an earlier run of the daemon has stored. */
export interface StoredSocket {
  readonly storedAs: string
  readonly socket: DatagramSocket
}

/** All containers of the host that are bridged, here and on disk. */
export class Containers {
  readonly #options: ContainersOptions
  readonly #files: RegistrationFiles
  readonly #byName = new Map<string, BridgedContainer>()
  /** Each has a socket and a pidfd, and the daemon a few of its own. */
  readonly #table = new DescriptorTable(() => 2 * this.size + OWN_DESCRIPTORS)
  readonly #beingRegistered = new Set<string>()
  /** What they have said since is not written down yet. */
  readonly #unwritten = new Set<BridgedContainer>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: ContainersOptions) {
    this.#options = options
    this.#files = new RegistrationFiles(options.places.runtime)
  }

  get size(): number {
    return this.#byName.size
  }

  list(): ContainerStatus[] {
    return [...this.#byName.values()].map((each) => each.status)
  }

  /** The unit of a container that is bridged; `undefined` if there is none of this name, or it has ended. */
  unitOf(name: string): string | undefined {
    const there = this.#byName.get(name)
    return there?.isEnding === false ? there.registration.unit : undefined
  }

  /**
   * Bridges a container from now on. One that is registered already stays as it is.
   *
   * @throws Error that says what is in the way.
   */
  async register(
    request: RegisterRequest,
    facts: UnitFacts,
    claim: Claim,
  ): Promise<RegisteredReply> {
    const { name } = request
    const reply = { unit: facts.unit, socket: notifySocketOf(name, this.#options.places) }
    const there = this.#byName.get(name)
    if (there !== undefined) {
      if (isSame(there, request, facts)) return reply
      if (!isOver(there, facts)) throw new Error(takenBy(there.registration))
      this.#drop(there, 'another container has its place')
    }
    if (this.#beingRegistered.has(name)) throw new Error(`${name} is being registered already`)
    this.#beingRegistered.add(name)
    try {
      await this.#bridgeNew(request, facts, claim)
    } finally {
      this.#beingRegistered.delete(name)
    }
    return reply
  }

  /** Its container has ended: what it has sent goes on, and then it is forgotten. */
  unregister(name: string, id: string): boolean {
    const container = this.#byName.get(name)
    if (container?.registration.container.id !== id) return false
    void this.#end(container, 'the container has ended')
    return true
  }

  /** Lets go of those that are not to be spoken for any more, after a change of the allow-list. */
  review(allowList: AllowList): void {
    for (const container of this.#byName.values()) {
      const { claim, unit } = container.registration
      if (!allowList.allows(unit, claim))
        this.#drop(container, `${unit} is not on the list any more`)
    }
  }

  /**
   * Takes up what an earlier run has left.
   *
   * @param stored What was in the descriptor store, by the paths of the sockets. Taken over.
   */
  async restore(stored: ReadonlyMap<string, StoredSocket>): Promise<void> {
    const { places, removeContainerOf, store, tell } = this.#options
    for (const { storedAs } of stored.values()) store.add(storedAs)
    const left = new Map(stored)
    const registrations = this.#files.read((file, reason) =>
      tell(`${file} cannot be read: ${reason}`),
    )
    for (const registration of registrations) {
      const path = notifySocketOf(registration.name, places)
      const kept = left.get(path)
      left.delete(path)
      try {
        await this.#takeUp(registration, kept, path)
      } catch (error) {
        kept?.socket.close()
        this.#forget(registration, kept?.storedAs)
        if (registration.isRemoved) removeContainerOf(registration.unit)
        tell(
          `the container ${registration.name} is not bridged any more: ${(error as Error).message}`,
        )
      }
    }
    for (const { storedAs, socket } of left.values()) {
      socket.close()
      this.#removeStored(storedAs)
    }
  }

  /** Ends the bridging, and writes down how far it was; what containers send from now on waits in the kernel. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const container of this.#byName.values()) {
      container.close()
      this.#write(container)
    }
    this.#byName.clear()
  }

  async #bridgeNew(request: RegisterRequest, facts: UnitFacts, claim: Claim): Promise<void> {
    const { name, container, isRemoved = false } = request
    const { places, store } = this.#options
    store.checkRoom()
    makeNotifyDirectory(notifyDirectoryOf(name, places))
    const unitProcess = this.#hold(name, facts.unit, facts.invocation, facts.mainPid)
    let socket: DatagramSocket | undefined
    let storedAs: string | undefined
    try {
      unitProcess.checkCgroup(facts.cgroup)
      socket = bindContainerSocket(notifySocketOf(name, places))
      storedAs = await store.put(socket.fd)
      const registration: Registration = {
        ...{ version: 1, name, container, isRemoved, claim },
        ...(container.pid !== undefined && { containerStartTicks: startTicksOf(container.pid) }),
        unit: facts.unit,
        invocation: facts.invocation,
        mainProcess: unitProcess.identity,
        hasStore: facts.hasStore,
        ...(storedAs !== undefined && { storedAs }),
        registeredAt: Date.now(),
      }
      this.#files.write(registration)
      this.#bridge(registration, socket, unitProcess)
    } catch (error) {
      unitProcess.close()
      socket?.close()
      if (storedAs !== undefined) this.#removeStored(storedAs)
      throw error
    }
    const text = `${container.engine} ${container.id}`
    this.#options.onEvent({ event: 'registered', name, unit: facts.unit, text })
  }

  async #takeUp(
    registration: Registration,
    kept: StoredSocket | undefined,
    path: string,
  ): Promise<void> {
    const { invocation, mainProcess, name, unit } = registration
    const unitProcess = this.#hold(name, unit, invocation, mainProcess.pid, mainProcess)
    let socket: DatagramSocket | undefined
    try {
      if (!unitProcess.isAlive()) throw new Error(`${unit} has been started anew`)
      // What the store has not got, as after a stop, is made anew: the container finds it at the same path.
      socket = kept?.socket ?? bindContainerSocket(path)
      const storedAs = kept?.storedAs ?? (await this.#options.store.put(socket.fd))
      const { storedAs: _, ...others } = registration
      const restored = { ...others, ...(storedAs !== undefined && { storedAs }) }
      if (storedAs !== registration.storedAs) this.#files.write(restored)
      const container = this.#bridge(restored, socket, unitProcess)
      if (registration.isEnding) void this.#end(container, 'the container has ended')
    } catch (error) {
      unitProcess.close()
      if (socket !== kept?.socket) socket?.close()
      throw error
    }
  }

  /** Holds the main process of a unit, for a container. */
  #hold(
    name: string,
    unit: string,
    invocation: string,
    pid: number,
    expected?: UnitProcess['identity'],
  ): UnitProcess {
    const onEnd = (): void => {
      const container = this.#byName.get(name)
      // Not if another one has its place by now.
      if (container?.unitProcess === held) this.#onUnitEnd(container)
    }
    const held = new UnitProcess({ unit, invocation, pid, onEnd, expected })
    return held
  }

  #bridge(
    registration: Registration,
    socket: DatagramSocket,
    unitProcess: UnitProcess,
  ): BridgedContainer {
    const { onEvent, way } = this.#options
    const container: BridgedContainer = new BridgedContainer({
      ...{ registration, socket, table: this.#table, unitProcess, way },
      onEvent: (event) => {
        if (event.event !== 'dropped') this.#writeSoon(container)
        onEvent(event)
      },
      onError: (error) => this.#drop(container, `its socket fails: ${error.message}`),
    })
    this.#byName.set(registration.name, container)
    // It may have happened before the container was here.
    if (unitProcess.hasEnded) this.#onUnitEnd(container)
    return container
  }

  // A payload decides how often something changes, so it is not written each time.
  #writeSoon(container: BridgedContainer): void {
    this.#unwritten.add(container)
    this.#timer ??= setTimeout(() => this.#writeSome(), WRITE_MS).unref()
  }

  // A thousand at once would hold up all messages for a while.
  #writeSome(): void {
    this.#timer = undefined
    let count = 0
    for (const each of this.#unwritten) {
      if (count++ === MOST_WRITTEN) break
      this.#unwritten.delete(each)
      this.#write(each)
    }
    if (this.#unwritten.size > 0)
      this.#timer = setTimeout(() => this.#writeSome(), NEXT_WRITE_MS).unref()
  }

  #write({ isEnding, progress, registration }: BridgedContainer): void {
    this.#files.write({ ...registration, ...(isEnding && { isEnding }), progress })
  }

  #onUnitEnd(container: BridgedContainer): void {
    const { isRemoved, name, unit } = container.registration
    this.#options.onEvent({ event: 'unit-ended', name, unit })
    if (isRemoved) this.#options.removeContainerOf(unit)
    void this.#end(container, `the main process of ${unit} has ended`)
  }

  async #end(container: BridgedContainer, why: string): Promise<void> {
    if (container.isEnding) return
    const draining = container.drain()
    this.#write(container)
    await draining
    if (!this.#isClosed && this.#byName.get(container.name) === container)
      this.#drop(container, why)
  }

  #drop(container: BridgedContainer, why: string): void {
    const { name, registration } = container
    this.#byName.delete(name)
    this.#unwritten.delete(container)
    const { forwarded, received } = container.counters
    container.close()
    rmSync(notifySocketOf(name, this.#options.places), { force: true })
    this.#forget(registration, registration.storedAs)
    const text = `${why}; ${received} messages received, ${forwarded} forwarded`
    this.#options.onEvent({ event: 'unregistered', name, unit: registration.unit, text })
  }

  #forget({ name }: Registration, storedAs: string | undefined): void {
    this.#files.remove(name)
    if (storedAs !== undefined) this.#removeStored(storedAs)
  }

  #removeStored(storedAs: string): void {
    this.#options.store.remove(storedAs).catch((error: unknown) => {
      this.#options.tell(`a socket stays in the descriptor store: ${(error as Error).message}`)
    })
  }
}

function isSame(
  there: BridgedContainer,
  { container }: RegisterRequest,
  facts: UnitFacts,
): boolean {
  const { container: known, invocation } = there.registration
  return known.id === container.id && invocation === facts.invocation && !there.isEnding
}

/** Whether another container can have its place: it has ended, or its unit's run has. */
function isOver(there: BridgedContainer, facts: UnitFacts): boolean {
  const { container, containerStartTicks, invocation } = there.registration
  if (there.isEnding || there.unitProcess.hasEnded) return true
  if (there.registration.unit === facts.unit && invocation !== facts.invocation) return true
  if (container.pid === undefined) return false
  try {
    return startTicksOf(container.pid) !== containerStartTicks
  } catch {
    return true
  }
}

function takenBy({ container, name, unit }: Registration): string {
  return `${name} is the ${container.engine} container ${container.id} of ${unit}, which has not ended: end it (sdbridge ps), or take another name`
}
