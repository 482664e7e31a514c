import { readFileSync } from 'node:fs'
import { codeBlocks } from '../../docs/code-blocks.js'

/** A unit file as somebody copies it from a page, or from an example. */
export interface CopiedUnit {
  /** `web.service`, `web.service.d/sdbridge.conf`. */
  readonly name: string
  readonly text: string
}

/** The unit files of a page whose text has this in it. The first line of each says where it belongs. */
export function unitsOfPage(page: string, having: string): CopiedUnit[] {
  const text = readFileSync(new URL(`../../../docs/guide/${page}`, import.meta.url), 'utf8')
  const units = codeBlocks(text)
    .filter(({ language, code }) => language === 'ini' && code.includes(having))
    .map(({ code }) => ({ name: nameIn(code), text: code }))
  if (units.length === 0) throw new Error(`docs/guide/${page} has no unit with ${having}`)
  return units
}

/** A file of an example. */
export function unitOfExample(example: string, name: string): CopiedUnit {
  const file = new URL(`../../../examples/${example}/${name}`, import.meta.url)
  return { name, text: readFileSync(file, 'utf8') }
}

function nameIn(code: string): string {
  const name = /^# \S*\/(?:system|user)\/(\S+)$/m.exec(code)?.[1]
  if (name === undefined) throw new Error(`no name in the first line of: ${code}`)
  return name
}
