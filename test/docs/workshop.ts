import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Example, REPOSITORY } from './examples.js'

/**
 * A folder in which the examples lie as programs of somebody who has installed the packages: each with so many empty lines in
 * front that the numbers of its lines are those of the documentation.
 */
export class Workshop {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'sdbridge-docs-'))

  /** @param packages Where packages are that are no part of this repository, by their names. */
  constructor(examples: readonly Example[], packages: Readonly<Record<string, string>>) {
    mkdirSync(join(this.folder, 'node_modules/@sdbridge'), { recursive: true })
    for (const name of readdirSync(join(REPOSITORY, 'packages'))) {
      this.#link(join('packages', name), join('node_modules/@sdbridge', name))
    }
    this.#link('node_modules/@types', 'node_modules/@types')
    for (const [name, path] of Object.entries(packages)) {
      symlinkSync(path, join(this.folder, 'node_modules', name))
    }
    writeFileSync(join(this.folder, 'tsconfig.json'), JSON.stringify(TSCONFIG))
    for (const example of examples) {
      const { line, code } = example
      writeFileSync(join(this.folder, sourceOf(example)), '\n'.repeat(line - 1) + code)
    }
  }

  /** What the compiler has to say of each example that it finds a mistake in, by the example's name. */
  async typeErrors(examples: readonly Example[]): Promise<ReadonlyMap<string, string>> {
    const compiler = join(REPOSITORY, 'node_modules/.bin/tsc')
    const output = await promisify(execFile)(compiler, ['-p', '.'], { cwd: this.folder }).then(
      () => '',
      (error: { stdout?: string; message: string }) => error.stdout ?? error.message,
    )
    const errors = new Map<string, string>()
    for (const example of examples) {
      const of = output.split(/\n(?=\S)/).filter((text) => text.startsWith(`${sourceOf(example)}(`))
      if (of.length > 0) errors.set(example.name, of.join('\n'))
    }
    if (output !== '' && errors.size === 0) throw new Error(output)
    return errors
  }

  /** The file that node runs: what is written in JavaScript is run as it is. */
  programOf(example: Example): string {
    const source = sourceOf(example)
    return example.language === 'ts'
      ? join(this.folder, 'compiled', source.replace(/ts$/, 'js'))
      : join(this.folder, source)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #link(from: string, to: string): void {
    symlinkSync(join(REPOSITORY, from), join(this.folder, to))
  }
}

function sourceOf({ file, line, language }: Example): string {
  return `${file.replaceAll('/', '-')}-${line}.m${language}`
}

// What a careful user has; but nobody writes the types of a callback's parameters in JavaScript.
const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023'],
    types: ['node'],
    module: 'nodenext',
    moduleDetection: 'force',
    strict: true,
    noImplicitAny: false,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    allowJs: true,
    checkJs: true,
    skipLibCheck: true,
    outDir: 'compiled',
    rootDir: '.',
  },
  include: ['*.mjs', '*.mts'],
}
