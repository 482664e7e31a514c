import { basename } from 'node:path'
import { CRUN_GLOBAL, CRUN_RUN, CRUN_START } from './crun-syntax.js'
import { DOCKER_GLOBAL, DOCKER_RUN, DOCKER_START } from './docker-syntax.js'
import { EngineError } from './engine-error.js'
import type { EngineName } from './launch.js'
import { NERDCTL_GLOBAL, NERDCTL_RUN, NERDCTL_START } from './nerdctl-syntax.js'
import type { OptionSyntax } from './option-syntax.js'
import { parseOptions, type EngineOption } from './parse-options.js'
import { PODMAN_GLOBAL, PODMAN_RUN, PODMAN_START } from './podman-syntax.js'
import { RUNC_GLOBAL, RUNC_RUN, RUNC_START } from './runc-syntax.js'

/** What a bridge can follow. */
export type EngineVerb = 'run' | 'create' | 'start'

/** A container engine's command line, understood. */
export interface EngineCommand {
  readonly engine: EngineName
  /** The program as it was given. */
  readonly file: string
  /** The engine's own options, as given, which its other commands need as well: `-H`, `--root`. */
  readonly globals: readonly string[]
  readonly globalOptions: readonly EngineOption[]
  readonly verb: EngineVerb
  /** The words that say the verb: `run`, or `container run`. */
  readonly verbWords: readonly string[]
  /** All that follows the verb, as given. */
  readonly words: readonly string[]
  /** The verb's options among {@link words}, in their order. */
  readonly options: readonly EngineOption[]
  /** IMAGE and the payload's own arguments, or a container's name or id. */
  readonly operands: readonly string[]
  /** Options that are not known, so that what follows them has been guessed at. */
  readonly unknownOptions: readonly string[]
}

/**
 * Understands the command line of docker, nerdctl, podman, runc or crun, by the program's name: a wrapper of another name, `sudo`
 * and `env` are other commands. So are those commands of an engine that start no single container (`docker compose up`,
 * `podman kube play`, `docker pull`, `docker run --help`).
 *
 * @returns `undefined` for any other command.
 * @throws {@link EngineError} `ERR_ENGINE_VERB` where a container is entered or continued behind the bridge's back.
 */
export function parseEngineCommand(argv: readonly string[]): EngineCommand | undefined {
  const [file = '', ...rest] = argv
  const engine = ENGINES.get(basename(file))
  if (engine === undefined) return undefined

  const syntax = SYNTAX[engine]
  // An engine's own options end where its verb begins.
  const { options: globalOptions, operands: verbAndWords } = parseOptions(rest, syntax.global)
  const globals = rest.slice(0, rest.length - verbAndWords.length)
  const hasNoun = verbAndWords[0] === 'container' && syntax.hasNouns
  const verbWords = verbAndWords.slice(0, hasNoun ? 2 : 1)
  const words = verbAndWords.slice(verbWords.length)
  const verb = verbWords.at(-1)
  if (globalOptions.some(({ name }) => name === 'help' || name === 'version')) return undefined
  if (verb !== undefined && REFUSED.has(verb)) throw refusal(basename(file), verbWords.join(' '))
  if (verb !== 'run' && verb !== 'create' && verb !== 'start') return undefined

  const parsed = parseOptions(words, verb === 'start' ? syntax.start : syntax.run)
  if (parsed.options.some(({ name }) => name === 'help' || name === 'usage')) return undefined
  return {
    engine,
    file,
    globals,
    globalOptions,
    verb,
    verbWords,
    words,
    options: parsed.options,
    operands: parsed.operands,
    unknownOptions: parsed.unknown,
  }
}

/** The value of an option, of which the last one counts; `undefined` if it is not there. */
export function optionValue(command: EngineCommand, name: string): string | undefined {
  return command.options.findLast((each) => each.name === name)?.value
}

/** Whether an option is there at all. */
export function hasOption(command: EngineCommand, name: string): boolean {
  return command.options.some((each) => each.name === name)
}

/** Whether a switch is on: `--detach`, and not `--detach=false`. */
export function isSwitchedOn(command: EngineCommand, name: string): boolean {
  const option = command.options.findLast((each) => each.name === name)
  return option !== undefined && !OFF.has(option.value ?? 'true')
}

/** Whether there is a way for descriptors into the container that this starts. */
export function canPassFds({ engine, verb }: EngineCommand): boolean {
  if (engine === 'podman') return true
  return (engine === 'runc' || engine === 'crun') && verb !== 'start'
}

// What Go's strconv.ParseBool takes for false.
const OFF = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

const ENGINES = new Map<string, EngineName>(
  (['docker', 'nerdctl', 'podman', 'runc', 'crun'] as const).map((name) => [name, name]),
)

interface EngineSyntax {
  global: OptionSyntax
  run: OptionSyntax
  start: OptionSyntax
  /** Whether `container run` is `run`. */
  hasNouns: boolean
}

const SYNTAX: Record<EngineName, EngineSyntax> = {
  docker: { global: DOCKER_GLOBAL, run: DOCKER_RUN, start: DOCKER_START, hasNouns: true },
  nerdctl: { global: NERDCTL_GLOBAL, run: NERDCTL_RUN, start: NERDCTL_START, hasNouns: true },
  podman: { global: PODMAN_GLOBAL, run: PODMAN_RUN, start: PODMAN_START, hasNouns: true },
  runc: { global: RUNC_GLOBAL, run: RUNC_RUN, start: RUNC_START, hasNouns: false },
  crun: { global: CRUN_GLOBAL, run: CRUN_RUN, start: CRUN_START, hasNouns: false },
}

// A container that these work on runs already, or is not one that this unit owns. `podman pod start`, `kube play` and compose
// start several, of their own making: to the bridge they are any other command.
const REFUSED = new Set(['attach', 'exec', 'restart', 'restore', 'unpause', 'resume'])

function refusal(program: string, verb: string): EngineError {
  return new EngineError(
    'ERR_ENGINE_VERB',
    `${program} ${verb}: expected a command that starts a container (run, or start after create); a container that is there already cannot be bridged`,
  )
}
