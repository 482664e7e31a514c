/** What can be relied upon of a message that was cut off. */
export interface WholeLines {
  readonly data: Buffer
  /** The key of the line that was cut through and is left out; its rest could be another value. */
  readonly lost?: string
}

/** Leaves out the line that a message was cut through; a status is kept as far as it goes. */
export function wholeLines(cut: Buffer): WholeLines {
  const start = startOfLastLine(cut)
  const last = cut.subarray(start)
  if (last.length === 0) return { data: cut }
  if (last.subarray(0, STATUS.length).equals(STATUS)) {
    return { data: Buffer.concat([cut.subarray(0, start), withoutDanglingEnd(last)]) }
  }
  const equals = last.indexOf(EQUALS)
  const lost = last.toString('latin1', 0, equals === -1 ? last.length : equals)
  return { data: cut.subarray(0, start), lost }
}

const STATUS = Buffer.from('STATUS=')
const EQUALS = 0x3d
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const BACKSLASH = 0x5c

function startOfLastLine(text: Buffer): number {
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    // It takes the special meaning of the next byte away.
    if (byte === BACKSLASH) at++
    else if (byte === LINE_FEED || byte === CARRIAGE_RETURN) start = at + 1
  }
  return Math.min(start, text.length)
}

// Half of an escape would have the whole message dropped, and half of a character the status.
function withoutDanglingEnd(text: Buffer): Buffer {
  let end = text.length
  let backslashes = 0
  while (text[end - 1 - backslashes] === BACKSLASH) backslashes++
  end -= backslashes % 2
  let lead = end - 1
  while (end - lead < 4 && isContinuation(text[lead])) lead--
  return text.subarray(0, lead + lengthOfCharacter(text[lead]!) > end ? lead : end)
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80
}

function lengthOfCharacter(lead: number): number {
  if (lead >= 0xf0) return 4
  if (lead >= 0xe0) return 3
  return lead >= 0xc0 ? 2 : 1
}
