import { fstatSync, openSync, closeSync, readFileSync, statSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'

/** How a container may come to speak for a unit. */
export type Claim = 'cgroup' | 'annotation'

interface Entry {
  readonly pattern: RegExp
  readonly byAnnotation: boolean
}

/**
 * The units that containers may speak for, one in a line: `web.service`, or `web@*.service`. Its containers are started by the unit itself; with the word
 * `annotation` behind the name, a container that an engine starts may name it, too.
 */
export class AllowList {
  readonly #entries: readonly Entry[]

  /** @throws Error that says what is wrong in which line. */
  constructor(text: string) {
    this.#entries = text.split('\n').flatMap((line, index) => entryOf(line, index + 1))
  }

  allows(unit: string, claim: Claim): boolean {
    return this.#entries.some(
      ({ byAnnotation, pattern }) => pattern.test(unit) && (claim === 'cgroup' || byAnnotation),
    )
  }

  get size(): number {
    return this.#entries.length
  }
}

/**
 * Reads the file, which must be root's alone to write. Where there is none, nobody is allowed anything.
 *
 * @throws Error
 */
export function readAllowList(file: string): AllowList {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new AllowList('')
    throw error
  }
  try {
    checkOwner(file, fstatSync(fd, { bigint: false }))
    checkOwner(dirname(file), statSync(dirname(file)))
    return new AllowList(readFileSync(fd, 'utf8'))
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error })
  } finally {
    closeSync(fd)
  }
}

function checkOwner(path: string, { uid, mode }: Stats): void {
  if (uid === process.geteuid!() && (mode & 0o022) === 0) return
  const found = `owned by ${uid}, mode ${(mode & 0o7777).toString(8)}`
  throw new Error(`expected ${path} to be root's, and nobody else's to write, found it ${found}`)
}

function entryOf(line: string, number: number): Entry[] {
  const words = line
    .replace(/#.*$/, '')
    .split(/\s+/)
    .filter((word) => word !== '')
  const [unit, ...others] = words
  if (unit === undefined) return []
  if (!/^[\w:.\\@*?-]{1,255}\.service$/.test(unit))
    throw new Error(`line ${number}: expected the name of a .service unit, found '${unit}'`)
  const wrong = others.find((word) => word !== 'annotation')
  if (wrong !== undefined)
    throw new Error(
      `line ${number}: expected nothing or 'annotation' behind the unit, found '${wrong}'`,
    )
  return [{ pattern: patternOf(unit), byAnnotation: others.length > 0 }]
}

function patternOf(glob: string): RegExp {
  const source = glob
    .replaceAll(/[.\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`)
}
