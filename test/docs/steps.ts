/** What is done with an example's program, and what it must do; README.md tells of each. */
export type Step =
  | { readonly kind: 'env'; readonly variables: Readonly<Record<string, string>> }
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  | {
      readonly kind: 'socket'
      readonly name: string
      readonly setting: string
      readonly value: string
    }
  | {
      readonly kind: 'ask'
      readonly path: string
      readonly text: string
      readonly answer: string
    }
  | { readonly kind: 'write'; readonly path: string; readonly text: string }
  | { readonly kind: 'expect'; readonly lines: readonly string[]; readonly fdCount: number }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'output'; readonly text: string }
  | { readonly kind: 'request'; readonly path: string; readonly answer: string }
  | { readonly kind: 'datagram'; readonly path: string; readonly text: string }
  | { readonly kind: 'connect'; readonly path: string; readonly answer: string }
  | { readonly kind: 'exit'; readonly outcome: number | NodeJS.Signals }
  | { readonly kind: 'restart' }
  | { readonly kind: 'needs'; readonly what: string }
  | { readonly kind: 'fragment'; readonly reason: string }

/** Reads one line of the comment before a block. */
export function parseStep(line: string): Step {
  const [, kind = '', rest = ''] = /^(\w+)(?:: *(.*))?$/.exec(line) ?? []
  const parse = PARSERS[kind]
  if (parse === undefined) {
    throw new Error(
      `"${line}" is no direction for an example; there are ${Object.keys(PARSERS).join(', ')}`,
    )
  }
  return parse(rest)
}

const PARSERS: Readonly<Record<string, (rest: string) => Step>> = {
  env: (rest) => ({
    kind: 'env',
    variables: Object.fromEntries(rest.split(' ').map((pair) => halves(pair, '='))),
  }),
  file: (rest) => {
    const [path, text] = halves(rest, ' ')
    return { kind: 'file', path, text }
  },
  socket: (rest) => {
    const [name, unit] = halves(rest, ' ')
    const [setting, value] = halves(unit, '=')
    return { kind: 'socket', name, setting, value }
  },
  ask: (rest) => {
    const [path, words] = halves(rest, ' ')
    const [text, answer] = halves(words, ' ')
    return { kind: 'ask', path, text, answer }
  },
  write: (rest) => {
    const [path, text] = halves(rest, ' ')
    return { kind: 'write', path, text }
  },
  expect: (rest) => {
    const parts = rest.split(/, (?=[A-Z_]+=|\d+ descriptors?$)/)
    const [, count] = /^(\d+) descriptors?$/.exec(parts.at(-1)!) ?? []
    return {
      kind: 'expect',
      lines: count === undefined ? parts : parts.slice(0, -1),
      fdCount: Number(count ?? 0),
    }
  },
  signal: (rest) => ({ kind: 'signal', signal: rest as NodeJS.Signals }),
  output: (rest) => ({ kind: 'output', text: rest }),
  request: (rest) => {
    const [path, answer] = halves(rest, ' ')
    return { kind: 'request', path, answer }
  },
  datagram: (rest) => {
    const [path, text] = halves(rest, ' ')
    return { kind: 'datagram', path, text }
  },
  connect: (rest) => {
    const [path, answer] = halves(rest, ' ')
    return { kind: 'connect', path, answer }
  },
  exit: (rest) => ({
    kind: 'exit',
    outcome: rest.startsWith('SIG') ? (rest as NodeJS.Signals) : Number(rest),
  }),
  needs: (rest) => ({ kind: 'needs', what: rest }),
  restart: () => ({ kind: 'restart' }),
  fragment: (rest) => ({ kind: 'fragment', reason: rest }),
}

function halves(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator)
  if (index === -1) throw new Error(`"${text}" must have two parts, with "${separator}" between`)
  return [text.slice(0, index), text.slice(index + separator.length)]
}
