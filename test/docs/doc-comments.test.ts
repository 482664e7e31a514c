import { describe, expect, test } from 'vitest'
import * as notify from '@sdbridge/notify'
import * as receiver from '@sdbridge/notify/receiver'
import { readRepositoryFile, SOURCES } from './examples.js'

// Somebody meets it in a catch clause.
const ERRORS: ReadonlySet<string> = new Set(['NotifyError'])

describe('each function and class that @sdbridge/notify exports has an @example', () => {
  const sources = SOURCES.map(readRepositoryFile)
  const names = [...callable(notify), ...callable(receiver)].filter((name) => !ERRORS.has(name))

  test.each(names)('%s', (name) => {
    const declaration = new RegExp(String.raw`^export (?:async )?(?:function|class) ${name}\b`, 'm')
    const source = sources.find((text) => declaration.test(text)) ?? ''
    const before = source.slice(0, source.search(declaration))
    const comment = before.slice(before.lastIndexOf('/**'))
    expect(comment).toMatch(/^\/\*\*[^]*@example[^]*```js[^]*\*\/\n$/)
  })
})

function callable(module: object): string[] {
  return Object.entries(module)
    .filter(([, value]) => typeof value === 'function')
    .map(([name]) => name)
}
