import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** A python3 that stays one process: the shims of pyenv are shell scripts, which may use descriptors. */
export const PYTHON: string = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'

/**
 * Whether this runs under `pnpm test:sanitize`. The preloaded sanitizer is in all programs that are started, and
 * changes their exit codes, their signal handlers and what leaves a core: what a test says of those is not so there.
 */
export const UNDER_SANITIZER: boolean = process.env['ASAN_OPTIONS'] !== undefined

/**
 * Whether a command works on this machine. Says why tests are skipped if it does not, and throws instead
 * where `SDBRIDGE_REQUIRE_SYSTEM=1` promises that everything is there.
 */
export function works(...command: [string, ...string[]]): boolean {
  try {
    execFileSync(command[0], command.slice(1), { stdio: 'ignore' })
    return true
  } catch (cause) {
    return skip(`tests need \`${command.join(' ')}\`, which does not work here`, cause)
  }
}

/** Whether a file exists; otherwise the same as {@link works}. */
export function isThere(file: string): boolean {
  return existsSync(file) || skip(`tests need ${file}`)
}

/** Whether this is root; otherwise the same as {@link works}. */
export function isRoot(): boolean {
  return process.getuid?.() === 0 || skip('tests need root')
}

function skip(reason: string, cause?: unknown): false {
  if (process.env['SDBRIDGE_REQUIRE_SYSTEM'] === '1') throw new Error(reason, { cause })
  process.stderr.write(`${reason}; they are skipped\n`)
  return false
}
