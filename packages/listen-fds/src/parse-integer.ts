/**
 * Reads a number as libsystemd's strict parsers do (safe_atoi(), parse_pid(), safe_atou64()): with white
 * space in front but not behind, a sign, and the prefixes 0x, 0b, 0o and a mere 0 (octal, as in C). The
 * range is the caller's to check.
 *
 * @returns `undefined` for anything else.
 */
export function parseInteger(text: string): bigint | undefined {
  const trimmed = text.replace(/^[ \t\n\r]+/, '')
  // libsystemd takes 0b and 0o off by itself and leaves the rest to strtol(3): so a sign or more white
  // space may come after these two, but never before them.
  const prefix = /^0[bo]/i.exec(trimmed)?.[0] ?? ''
  const parts = /^[ \t-\r]*([+-]?)(0x[\da-f]+|\d+)$/i.exec(trimmed.slice(prefix.length))
  if (parts === null) return undefined
  const digits = parts[2]!
  const octal = prefix === '' && /^0\d/.test(digits)
  try {
    const magnitude = BigInt(`${octal ? '0o' : prefix}${digits}`)
    return parts[1] === '-' ? -magnitude : magnitude
  } catch {
    return undefined
  }
}
