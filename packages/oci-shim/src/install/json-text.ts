/** An object in a text of JSON, by the places of its members: what is edited there leaves all around it as it was written. */
export interface ObjectText {
  /** Of its `{`. */
  readonly start: number
  readonly members: readonly MemberText[]
}

export interface MemberText {
  readonly key: string
  /** Of its key. */
  readonly start: number
  readonly valueStart: number
  /** Behind its value. */
  readonly end: number
}

/** Finds the members of the object that begins at a place in a text that is known to be JSON. */
export function objectTextAt(text: string, start: number): ObjectText {
  const members: MemberText[] = []
  let place = behindSpace(text, start + 1)
  while (text[place] !== '}') {
    const keyEnd = behindValue(text, place)
    const valueStart = behindSpace(text, behindSpace(text, keyEnd) + 1)
    const end = behindValue(text, valueStart)
    members.push({
      key: JSON.parse(text.slice(place, keyEnd)) as string,
      start: place,
      valueStart,
      end,
    })
    place = behindSpace(text, end)
    if (text[place] === ',') place = behindSpace(text, place + 1)
  }
  return { start, members }
}

/** The text with one more member at the end of an object, set off as the one in front of it. {@link withoutMember} undoes it to the byte. */
export function withMember(text: string, object: ObjectText, member: string): string {
  const last = object.members.at(-1)
  if (last === undefined) return spliced(text, object.start + 1, object.start + 1, member)
  const [space = ''] = /\s*$/.exec(text.slice(object.start + 1, last.start)) ?? []
  return spliced(text, last.end, last.end, `,${space}${member}`)
}

/** The text without one member of an object. */
export function withoutMember(text: string, { members }: ObjectText, key: string): string {
  const index = members.findIndex((each) => each.key === key)
  const member = members[index]
  if (member === undefined) return text
  const before = members[index - 1]
  const after = members[index + 1]
  if (before !== undefined) return spliced(text, before.end, member.end, '')
  return spliced(text, member.start, after?.start ?? member.end, '')
}

/** The text with something in place of what is from one place to another. */
export function spliced(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end)
}

function behindSpace(text: string, start: number): number {
  return behind(/[\s]*/y, text, start)
}

function behindValue(text: string, start: number): number {
  const first = text[start]
  if (first === '"') return behind(STRING, text, start)
  if (first !== '{' && first !== '[') return behind(/[^\s,\]}]+/y, text, start)
  let depth = 0
  let place = start
  do {
    const character = text[place]
    if (character === '{' || character === '[') depth += 1
    if (character === '}' || character === ']') depth -= 1
    place = character === '"' ? behind(STRING, text, place) : place + 1
  } while (depth > 0)
  return place
}

const STRING = /"(?:[^"\\]|\\.)*"/y

function behind(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start
  pattern.test(text)
  return pattern.lastIndex
}
