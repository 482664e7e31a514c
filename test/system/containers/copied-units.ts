import { readFileSync } from 'node:fs'
import { codeBlocks } from '../../docs/code-blocks.js'

/** A unit file as somebody copies it from a page, or from an example. */
export interface CopiedUnit {
  /** `web.service`, `web.service.d/sdbridge.conf`. */
  readonly name: string
  readonly text: string
}

/** The unit file of a page whose text has this in it. The first line of each says where it belongs. */
export function unitOfPage(page: string, having: string): CopiedUnit {
  const code = blockOfPage(page, 'ini', having)
  return { name: nameIn(code), text: code }
}

/** The block of code of a page, in this language, that has this in it. */
export function blockOfPage(page: string, language: string, having: string): string {
  const text = readFileSync(new URL(`../../../docs/guide/${page}`, import.meta.url), 'utf8')
  const found = codeBlocks(text).filter(
    (block) => block.language === language && block.code.includes(having),
  )
  if (found.length !== 1)
    throw new Error(`docs/guide/${page} has ${found.length} blocks of ${language} with ${having}`)
  return found[0]!.code
}

/** A file of an example. */
export function unitOfExample(example: string, name: string): CopiedUnit {
  const file = new URL(`../../../examples/${example}/${name}`, import.meta.url)
  return { name, text: readFileSync(file, 'utf8') }
}

function nameIn(code: string): string {
  const name = /^# \S*\/(?:system|systemd|user)\/(\S+)$/m.exec(code)?.[1]
  if (name === undefined) throw new Error(`no name in the first line of: ${code}`)
  return name
}
