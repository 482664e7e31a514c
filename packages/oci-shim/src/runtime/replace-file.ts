import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'

/** Writes a file anew, as a whole or not at all, and leaves its owner and mode as they were. */
export function replaceFile(file: string, text: string): void {
  const { uid, gid, mode } = statSync(file)
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
