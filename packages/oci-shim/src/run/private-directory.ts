import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  type Stats,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatagramSocket } from '@sdbridge/syscalls'
import { BridgeError } from './bridge-error.js'
import { hasLivingClient, readState } from './state-file.js'

/** A directory of one unit: what is in it is for nobody else but the container socket's directory, which the container sees. */
export class PrivateDirectory {
  readonly path: string
  /** What is bound into the container: any user there may come in. */
  readonly notifyDirectory: string
  readonly socketPath: string
  /** Where the container's runtime asks for descriptors: beside what the container sees. */
  readonly descriptorSocketPath: string
  /** Held for as long as this process lives. */
  #lock: DatagramSocket | undefined
  #isKept = false

  constructor(path: string, notifyDirectory: string = join(path, 'notify')) {
    this.path = path
    this.notifyDirectory = notifyDirectory
    this.socketPath = join(notifyDirectory, 'notify.sock')
    this.descriptorSocketPath = join(dirname(notifyDirectory), 'descriptors.sock')
  }

  /**
   * Makes it, in place of what a crash has left. From then on it is served, for as long as this process lives.
   *
   * @param options Whether the container socket's directory is made with it: another bridge has its own.
   * @throws BridgeError if another bridge serves it, or if it may be somebody else's.
   */
  make({ hasNotifyDirectory = true }: { hasNotifyDirectory?: boolean } = {}): void {
    this.checkIsFree()
    const fresh = makeBeside(this.path)
    let place = fresh
    try {
      // It is locked before it has its name, under which there is no moment at which it looks like what a crash has left.
      this.#lock = new DatagramSocket('unix')
      this.#lock.bind({ family: 'unix', path: join(fresh, LOCK) })
      this.#moveIn(fresh)
      place = this.path
      if (hasNotifyDirectory) this.#makeNotifyDirectory()
    } catch (error) {
      rmSync(place, { recursive: true, force: true })
      this.#lock?.close()
      removeIfEmpty(dirname(this.path))
      throw error
    }
  }

  /** Whether a bridge is at work, or the engine's client that one has become. */
  get isServed(): boolean {
    return isServed(join(this.path, LOCK)) || isServed(this.socketPath) || this.#hasClient
  }

  /** Whether it was made by a process that has become an engine's client. */
  get isOfClient(): boolean {
    return this.isOurs() && readState(this.path)?.client !== undefined
  }

  get #hasClient(): boolean {
    return this.isOurs() && hasLivingClient(this.path)
  }

  /** @throws BridgeError if somebody answers at its socket: another bridge of this unit is at work; or its engine's client is. */
  checkIsFree(): void {
    if (this.#hasClient)
      throw new BridgeError(
        'ERR_BRIDGE_FAILED',
        `the container noted in ${this.path} has not ended: its unit's engine client is at work; stop the unit, or end that process`,
      )
    if (!this.isServed) return
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `another sdbridge serves ${this.socketPath}: there can be one in a unit; stop the unit, or end that process`,
    )
  }

  #moveIn(fresh: string): void {
    for (let attempt = 1; ; attempt += 1) {
      const stats = lstatSync(this.path, { throwIfNoEntry: false })
      if (stats !== undefined && !isPrivate(stats)) throw foreign(this.path)
      try {
        // In place of an empty one as well.
        renameSync(fresh, this.path)
        return
      } catch (error) {
        const isTaken = ['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code!)
        if (!isTaken || attempt === MOST_ATTEMPTS) throw error
      }
      this.#moveOut(`${fresh}.old`)
    }
  }

  // Of two that find what a crash has left, one has it. The other has found what the first has put in its place.
  #moveOut(old: string): void {
    this.checkIsFree()
    try {
      renameSync(this.path, old)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    if (isServed(join(old, LOCK))) renameSync(old, this.path)
    else rmSync(old, { recursive: true, force: true })
  }

  #makeNotifyDirectory(): void {
    // Not below the private one if the container outlives the unit; its files then may be bound by that container still.
    makeBase(dirname(this.notifyDirectory))
    mkdirSync(this.notifyDirectory, { recursive: true })
    // The umask, which a unit may set, has no say in this.
    chmodSync(this.notifyDirectory, 0o755)
  }

  /** Gives the socket another name beside its own. */
  linkSocket(name: string): void {
    const link = join(this.notifyDirectory, name)
    // A container that outlives its unit has it already.
    rmSync(link, { force: true })
    symlinkSync(basename(this.socketPath), link)
  }

  /** Whether it is there, and can only be what we, or another process of this user, have made. */
  isOurs(): boolean {
    return isPrivate(lstatSync(this.path, { throwIfNoEntry: false }))
  }

  /** From now on it stays: what is noted there is still to be done. */
  keep(): void {
    this.#isKept = true
  }

  /** Removes it with all that is in it; leaves alone what may be somebody else's. */
  remove(): void {
    if (this.#isKept) return
    this.#removeOwn()
    this.#lock?.close()
    removeIfEmpty(dirname(this.path))
  }

  /** Removes a container socket's directory that outlives units, when the container does not. */
  removeLasting(): void {
    if (this.#isKept || dirname(this.notifyDirectory) === this.path) return
    rmSync(dirname(this.notifyDirectory), { recursive: true, force: true })
    const all = dirname(dirname(this.notifyDirectory))
    removeIfEmpty(all)
    removeIfEmpty(dirname(all))
  }

  #removeOwn(): void {
    const stats = lstatSync(this.path, { throwIfNoEntry: false })
    if (stats !== undefined) {
      if (!isPrivate(stats)) throw foreign(this.path)
      rmSync(this.path, { recursive: true, force: true })
    }
    rmSync(this.socketPath, { force: true })
  }
}

/** Where the directories of all units are: what the unit's `RuntimeDirectory=` says, or one that all units of this user share. */
export function baseDirectory(runtimeDirectory: string | undefined): string {
  return runtimeDirectory ?? sharedDirectory()
}

/** Root's. */
export const SYSTEM_DIRECTORY = '/run/sdbridge'

/** It outlives units. */
export function sharedDirectory(): string {
  if (process.geteuid!() === 0) return SYSTEM_DIRECTORY
  const { XDG_RUNTIME_DIR } = process.env
  if (XDG_RUNTIME_DIR !== undefined && XDG_RUNTIME_DIR.startsWith('/')) {
    return join(XDG_RUNTIME_DIR, 'sdbridge')
  }
  throw new BridgeError(
    'ERR_BRIDGE_FAILED',
    'there is no directory for the container socket: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set; ' +
      'set RuntimeDirectory= in the unit',
  )
}

/** Whether somebody receives at a socket. */
export function isServed(path: string): boolean {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false
  const probe = new DatagramSocket('unix')
  try {
    probe.connect({ family: 'unix', path })
    return true
  } catch (error) {
    // It may also have been removed in between.
    return !['ECONNREFUSED', 'ENOENT'].includes((error as NodeJS.ErrnoException).code!)
  } finally {
    probe.close()
  }
}

/** The names of the directories in a base. */
export function directoriesIn(base: string): string[] {
  try {
    return readdirSync(base)
  } catch {
    return []
  }
}

/**
 * A file name for an id, another one for each: engines split their options at `:` and `,`, and other programs' addresses end at
 * 107 bytes.
 */
export function fileNameOf(id: string): string {
  const plain = id
    .replaceAll(/[^\w.-]/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 48)
  if (plain === id && id !== '') return id
  // Loaded for such an id only: it would cost each bridge half a mebibyte.
  const { createHash } = process.getBuiltinModule('node:crypto')
  return `${plain || 'unit'}-${createHash('sha256').update(id).digest('hex').slice(0, 12)}`
}

// No unit's directory begins with a dot.
function makeBeside(path: string): string {
  for (let attempt = 1; ; attempt += 1) {
    try {
      makeBase(dirname(path))
      const fresh = mkdtempSync(join(dirname(path), `.${basename(path)}-`))
      chmodSync(fresh, 0o700)
      return fresh
    } catch (error) {
      // The bridge of another unit has just removed the base, because nothing was in it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === MOST_ATTEMPTS)
        throw error
    }
  }
}

const MOST_ATTEMPTS = 100
/** A socket, which is dead when its process is. */
const LOCK = 'lock'

function makeBase(base: string): void {
  if (lstatSync(base, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(base, { recursive: true, mode: 0o700 })
  }
  // A link is as good as what it points to: DynamicUser= has one in /run.
  const stats = statSync(base)
  const owners = [0, process.geteuid!()]
  if (!stats.isDirectory() || !owners.includes(stats.uid) || (stats.mode & 0o022) !== 0) {
    throw foreign(base)
  }
}

function isPrivate(stats: Stats | undefined): boolean {
  return (
    stats !== undefined &&
    stats.isDirectory() &&
    stats.uid === process.geteuid!() &&
    (stats.mode & 0o077) === 0
  )
}

function foreign(path: string): BridgeError {
  return new BridgeError(
    'ERR_BRIDGE_FAILED',
    `${path} must be a directory of this user that nobody else can write to, and is not: remove it`,
  )
}

function removeIfEmpty(base: string): void {
  if (!/\/sdbridge(?:\/containers)?$/.test(base)) return
  try {
    rmdirSync(base)
  } catch {
    // Other units have theirs.
  }
}
