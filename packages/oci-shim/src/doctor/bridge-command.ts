import { basename } from 'node:path'

/** The part of a unit's command line that starts a bridge. */
export interface BridgeCommand {
  /** What is in front of `run`: `/usr/bin/sdbridge`, or node and the script. */
  readonly program: readonly string[]
  /** What follows `run`. */
  readonly words: readonly string[]
  /**
   * How a shell in front of it ends: `none`, `exec` (it becomes the bridge), `last` (many shells become a command that is their
   * only one), `parent` (it stays, and the bridge is another process).
   */
  readonly shell: 'none' | 'exec' | 'last' | 'parent'
}

/** Finds `sdbridge run` in the words of a command; `undefined` if it is not there. */
export function findBridgeCommand(words: readonly string[]): BridgeCommand | undefined {
  const script = shellScript(words)
  const shell = script === undefined ? 'none' : endOfShell(script)
  const commands = script === undefined ? [words] : partsOf(script).map((part) => part.split(/\s+/))
  for (const command of commands) {
    const index = command.findIndex(
      (word, at) => /^sdbridge(?:\.js)?$/.test(basename(word)) && command[at + 1] === 'run',
    )
    if (index === -1) continue
    const from = command[0] === 'exec' ? 1 : 0
    return { program: command.slice(from, index + 1), words: command.slice(index + 2), shell }
  }
  return undefined
}

/** What a shell is given to run by `-c`, with what follows it; `undefined` if these words start no shell. */
export function shellScript(words: readonly string[]): string | undefined {
  if (!/^(?:ba|da|k|z|a)?sh$/.test(basename(words[0] ?? ''))) return undefined
  const option = words.findIndex((word) => /^-[a-z]*c$/.test(word))
  return option === -1 ? undefined : words.slice(option + 1).join(' ')
}

/** What becomes of a shell that runs this script. */
export function endOfShell(script: string): Exclude<BridgeCommand['shell'], 'none'> {
  const parts = partsOf(script)
  if (/^exec\s/.test(parts.at(-1) ?? '')) return 'exec'
  return parts.length === 1 && !/[|&]/.test(script) ? 'last' : 'parent'
}

function partsOf(script: string): string[] {
  const parts = script.split(/;|&&|\|\||\n/).map((part) => part.trim())
  return parts.filter((part) => part !== '')
}
