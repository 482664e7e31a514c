/** A command as `ExecStart=` takes it (systemd.service(5), "Command lines"). */
export function unitWords(words: readonly string[]): string {
  return words.map((word) => unitWord(word)).join(' ')
}

function unitWord(word: string): string {
  const text = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  if (/^[^\s"'\\;\p{Cc}]+$/u.test(text)) return text
  const quoted = text.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll(/\p{Cc}/gu, escapeControl)
  return `"${quoted}"`
}

function escapeControl(character: string): string {
  return String.raw`\x` + character.charCodeAt(0).toString(16).padStart(2, '0')
}
