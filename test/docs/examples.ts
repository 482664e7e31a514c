import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CodeBlock, codeBlocks, examplesOfDocComments } from './code-blocks.js'
import { parseStep, type Step } from './steps.js'

/** A block of code of the documentation that somebody may copy. */
export interface Example extends CodeBlock {
  /** From the top of the repository. */
  readonly file: string
  readonly steps: readonly Step[]
  /** Where its reader finds it, and the name of its test. */
  readonly name: string
}

/** All blocks of the documentation in one of these languages. */
export function examples(...languages: string[]): readonly Example[] {
  return [...MARKDOWN.flatMap(ofMarkdown), ...SOURCES.flatMap(ofSource)].filter(({ language }) =>
    languages.includes(language),
  )
}

/** The text of a file of the repository. */
export function readRepositoryFile(file: string): string {
  return readFileSync(join(REPOSITORY, file), 'utf8')
}

/** The top of the repository. */
export const REPOSITORY: string = fileURLToPath(new URL('../..', import.meta.url))

/** The source files of the packages whose doc comments have examples that are programs. */
export const SOURCES: readonly string[] = [
  ...filesIn('packages/notify/src', '.ts'),
  ...filesIn('packages/notify/src/receiver', '.ts'),
]

const MARKDOWN = [
  'README.md',
  'packages/notify/README.md',
  'packages/listen-fds/README.md',
  'packages/syscalls/README.md',
  'packages/oci-shim/README.md',
  ...filesIn('docs/guide', '.md'),
]

function filesIn(folder: string, ending: string): string[] {
  if (!existsSync(join(REPOSITORY, folder))) throw new Error(`there is no folder ${folder}`)
  return readdirSync(join(REPOSITORY, folder))
    .filter((name) => name.endsWith(ending))
    .toSorted()
    .map((name) => join(folder, name))
}

function ofMarkdown(file: string): Example[] {
  return codeBlocks(readRepositoryFile(file)).map((block) => toExample(file, block))
}

function ofSource(file: string): Example[] {
  return codeBlocks(examplesOfDocComments(readRepositoryFile(file))).map((block) =>
    toExample(file, block),
  )
}

function toExample(file: string, block: CodeBlock): Example {
  const name = `${file}:${block.line}`
  try {
    const steps = ['js', 'ts'].includes(block.language) ? block.directions.map(parseStep) : []
    return { ...block, file, name, steps }
  } catch (cause) {
    throw new Error(`${name}: ${(cause as Error).message}`, { cause })
  }
}
