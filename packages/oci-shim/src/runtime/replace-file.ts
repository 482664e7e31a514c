import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'

/** Whose a file is, and who may do what with it. */
export interface FileOwnership {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** Writes a file anew, as a whole or not at all, and leaves its owner and mode as they were. */
export function replaceFile(file: string, text: string): void {
  writeWhole(file, text, statSync(file))
}

/** Writes a file as a whole or not at all, whether it is there or not. */
export function writeWhole(file: string, text: string, { uid, gid, mode }: FileOwnership): void {
  const fresh = `${file}.${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(fresh, text, { mode: 0o600, flag: 'wx' })
    chownSync(fresh, uid, gid)
    chmodSync(fresh, mode & 0o7777)
    renameSync(fresh, file)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
}
