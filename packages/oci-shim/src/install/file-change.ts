import { mkdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { BridgeError } from '../run/bridge-error.js'
import { type FileOwnership, writeWhole } from '../runtime/replace-file.js'

/** What is to become of a file. */
export interface FileChange {
  readonly file: string
  /** Its text; `undefined` if it is not there. */
  readonly before: string | undefined
  /** `undefined` if it is to be removed. */
  readonly after: string | undefined
  /** Whether it is a program, which belongs to this user and may be run by all. What else is there keeps its owner and mode. */
  readonly isProgram?: boolean
}

/**
 * The text of a file; `undefined` if it is not there.
 *
 * @throws BridgeError if it cannot be read, or is no text: what is written anew must be what was read.
 */
export function readTextFile(file: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    const why = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : message
    throw new BridgeError('ERR_BRIDGE_FAILED', `${file} cannot be read: ${why}`)
  }
}

/** Whether anything has to be done. */
export function isDue({ file, before, after, isProgram = false }: FileChange): boolean {
  if (before !== after) return true
  if (!isProgram || after === undefined) return false
  const { uid, mode } = statSync(file)
  return uid !== process.geteuid!() || (mode & 0o7777) !== PROGRAM_MODE
}

/**
 * Makes the changes, each file as a whole, in this order; if one cannot be made, none.
 *
 * @throws BridgeError
 */
export function applyChanges(changes: readonly FileChange[]): void {
  const done: FileChange[] = []
  const umask = process.umask(0o022)
  try {
    for (const change of changes.filter(isDue)) {
      apply(change)
      done.unshift(change)
    }
  } catch (error) {
    for (const { file, before, after, isProgram = false } of done)
      apply({ file, before: after, after: before, isProgram })
    throw error
  } finally {
    process.umask(umask)
  }
}

function apply({ file, after, isProgram = false }: FileChange): void {
  try {
    if (after === undefined) return rmSync(file)
    mkdirSync(dirname(file), { recursive: true })
    // The file that a link names, which stays.
    const target = targetOf(file)
    writeWhole(target, after, ownershipOf(target, isProgram))
  } catch (error) {
    throw new BridgeError(
      'ERR_BRIDGE_FAILED',
      `${file} cannot be ${after === undefined ? 'removed' : 'written'}: ${(error as Error).message}`,
    )
  }
}

function targetOf(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}

function ownershipOf(file: string, isProgram: boolean): FileOwnership {
  const there = statSync(file, { throwIfNoEntry: false })
  if (there !== undefined && !isProgram) return there
  return {
    uid: process.geteuid!(),
    gid: process.getegid!(),
    mode: isProgram ? PROGRAM_MODE : 0o644,
  }
}

const PROGRAM_MODE = 0o755
