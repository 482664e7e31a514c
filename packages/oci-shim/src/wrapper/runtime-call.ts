import { basename } from 'node:path'
import { CRUN_GLOBAL, CRUN_RUN } from '../engines/crun-syntax.js'
import type { OptionSyntax } from '../engines/option-syntax.js'
import { type EngineOption, parseOptions } from '../engines/parse-options.js'
import { RUNC_GLOBAL, RUNC_RESTORE, RUNC_RUN } from '../engines/runc-syntax.js'

/** How an engine calls a low-level runtime, as far as it matters here. */
export interface RuntimeCall {
  /** What it is to do: `create`, `start`, …; `undefined` for `--version` and the like. */
  readonly verb: string | undefined
  /** The bundle's directory, as given. */
  readonly bundle: string
  /** The configuration, where it is not the bundle's own (`crun --config`). */
  readonly config: string | undefined
  /** Where errors are written for the engine (`--log`). */
  readonly log: string | undefined
  /** Whether they are written there as JSON (`--log-format`). */
  readonly logsJson: boolean
  /** How many descriptors from 3 on are to reach the container (`--preserve-fds`). */
  readonly preservedFds: number
}

/** The verbs that make a container. */
export const MAKING_VERBS = ['create', 'run', 'restore'] as const

/** The command lines of a low-level runtime. */
export interface RuntimeSyntax {
  readonly global: OptionSyntax
  /** Of the verbs that make a container. */
  readonly making: Readonly<Record<(typeof MAKING_VERBS)[number], OptionSyntax>>
}

/** Those of crun for a program of that name; those of runc, which others follow, for any other. */
export function syntaxOf(lowLevel: string): RuntimeSyntax {
  if (basename(lowLevel) === 'crun')
    return { global: CRUN_GLOBAL, making: { create: CRUN_RUN, run: CRUN_RUN, restore: CRUN_RUN } }
  return {
    global: RUNC_GLOBAL,
    making: { create: RUNC_RUN, run: RUNC_RUN, restore: RUNC_RESTORE },
  }
}

/** Reads what follows the program's name, as that program does. */
export function parseRuntimeCall(lowLevel: string, args: readonly string[]): RuntimeCall {
  const { global, making } = syntaxOf(lowLevel)
  const { options: globals, operands } = parseOptions(args, global)
  const [verb, ...words] = operands
  const syntax = isMaking(verb) ? making[verb] : undefined
  const options = syntax === undefined ? [] : parseOptions(words, syntax).options
  return {
    verb,
    // An empty one is none.
    bundle: valueOf(options, 'bundle') || '.',
    config: (syntax?.values.has('config') && valueOf(options, 'config')) || undefined,
    log: valueOf(globals, 'log'),
    logsJson: valueOf(globals, 'log-format') === 'json',
    preservedFds: Number(valueOf(options, 'preserve-fds') ?? 0) || 0,
  }
}

function isMaking(verb: string | undefined): verb is (typeof MAKING_VERBS)[number] {
  return MAKING_VERBS.some((each) => each === verb)
}

function valueOf(options: readonly EngineOption[], name: string): string | undefined {
  return options.findLast((each) => each.name === name)?.value
}
