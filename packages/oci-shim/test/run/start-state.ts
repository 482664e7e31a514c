/** What a program was started with. */
export interface StartedWith {
  fds: number[]
  limits: string[]
  /** `SigBlk` and `SigIgn` of /proc/PID/status. */
  signals: string[]
}

/** Words that tell what they were started with and then become the given ones. A shell does: unlike python3, it changes nothing of that. */
export const tellingStart = (...words: string[]): string[] => [
  'sh',
  '-c',
  'cat /proc/self/status /proc/self/limits; printf FDs:; ls -m /proc/self/fd; exec "$@"',
  'sh',
  ...words,
]

/** Finds what such words have told. */
export function startedWith(output: string): StartedWith {
  const lines = output.split('\n').map((line) => line.replaceAll(/\s+/g, ' ').trim())
  const fds = lines.find((line) => line.startsWith('FDs:'))
  if (fds === undefined) throw new Error(`nothing told in: ${output}`)
  return {
    fds: fds
      .slice(4)
      .split(',')
      .map(Number)
      .toSorted((a, b) => a - b)
      // The last is the one by which ls(1) reads the others.
      .slice(0, -1),
    limits: lines.filter((line) => line.startsWith('Max ')),
    signals: lines.filter((line) => /^Sig(?:Blk|Ign):/.test(line)),
  }
}
