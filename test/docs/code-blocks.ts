/** A fenced block of code of a Markdown text. */
export interface CodeBlock {
  readonly language: string
  readonly code: string
  /** The line of the file in which its first line of code is, from 1 on. */
  readonly line: number
  /** The lines of an HTML comment right before the fence, which says how the block is tested. */
  readonly directions: readonly string[]
}

/** All fenced blocks of code of a Markdown text, in their order. */
export function codeBlocks(markdown: string): readonly CodeBlock[] {
  return Array.from(markdown.matchAll(BLOCK), (match) => {
    const { comment = '', language = '', code = '' } = match.groups!
    const before = markdown.slice(0, match.index + match[0].indexOf('```'))
    return {
      language,
      code,
      line: before.split('\n').length + 1,
      directions: comment
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== ''),
    }
  })
}

/**
 * The Markdown of all `@example`s in the doc comments of a TypeScript file: everything else is blank, so that each line keeps
 * its number.
 */
export function examplesOfDocComments(source: string): string {
  let [isComment, isExample] = [false, false]
  return source
    .split('\n')
    .map((line) => {
      if (/^\s*\/\*\*/.test(line)) isComment = true
      const text = isComment ? line.replace(/^\s*(?:\/\*\*|\*\/|\*) ?/, '') : ''
      if (text.startsWith('@')) isExample = text.startsWith('@example')
      const isShown = isComment && isExample && !text.startsWith('@')
      if (/\*\/\s*$/.test(line)) [isComment, isExample] = [false, false]
      return isShown ? text : ''
    })
    .join('\n')
}

const BLOCK =
  /(?:<!--(?<comment>(?:(?!-->)[^])*)-->\s*\n)?^```(?<language>\w*)\n(?<code>(?:(?!^```)[^])*)^```$/gm
