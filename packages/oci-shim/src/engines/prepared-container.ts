import {
  type DescriptorRequest,
  parseRequest,
  REQUEST_ANNOTATION,
  REQUEST_VARIABLE,
} from './descriptor-request.js'
import { isObject } from '../runtime/json-values.js'
import { valueOfVariable } from '../runtime/variables.js'
import { runCommand } from './command-outcome.js'
import type { EngineCommand } from './engine-command.js'
import { EngineError } from './engine-error.js'
import { DIRECTORY_LABEL } from './labels.js'

/** A container that was created by `sdbridge run -- ENGINE create …`, to be started now. */
export interface PreparedContainer {
  /** The directory on the host that is bound into it: the container socket belongs there. */
  readonly notifyDirectory: string
  /** The signal that stops it, as its image says; `undefined` if that is the engine's own business, or not said. */
  readonly stopSignal: string | undefined
  /** Whether its first process is docker's own, and the payload a child of that (`--init`). */
  readonly hasInit: boolean
  /** What its runtime will ask for at each start; `undefined` if it asks for nothing. */
  readonly request: DescriptorRequest | undefined
}

/**
 * Asks the engine for what was prepared when the container of a `start` was created.
 *
 * @param env The environment of all that is started.
 * @throws {@link EngineError} `ERR_ENGINE_NOT_PREPARED`, `ERR_ENGINE_OPTION`, `ERR_ENGINE_UNREACHABLE`
 */
export async function findPreparedContainer(
  command: EngineCommand,
  env: NodeJS.ProcessEnv,
): Promise<PreparedContainer> {
  const { engine, operands } = command
  const id = operands[0] ?? ''
  const facts = await inspect(command, id, env)
  const notifyDirectory = facts.labels[DIRECTORY_LABEL]
  if (typeof notifyDirectory !== 'string' || !notifyDirectory.startsWith('/')) {
    throw new EngineError(
      'ERR_ENGINE_NOT_PREPARED',
      `${engine} start ${id}: expected a container that has a directory for notifications, which only create can give it: create it by sdbridge run -- ${engine} create …, or use ${engine} run`,
    )
  }
  if (facts.restart !== undefined && facts.restart !== '' && facts.restart !== 'no') {
    throw new EngineError(
      'ERR_ENGINE_OPTION',
      `${engine} start ${id}: it has --restart=${facts.restart}: restarts are the service manager's: create it without, and set Restart= in the unit`,
    )
  }
  return {
    notifyDirectory,
    stopSignal: facts.stopSignal,
    hasInit: facts.hasInit,
    request: facts.request === undefined ? undefined : parseRequest(facts.request),
  }
}

interface Facts {
  labels: Readonly<Record<string, unknown>>
  restart: string | undefined
  stopSignal: string | undefined
  hasInit: boolean
  request: string | undefined
}

async function inspect(command: EngineCommand, id: string, env: NodeJS.ProcessEnv): Promise<Facts> {
  const isRuntime = command.engine === 'runc' || command.engine === 'crun'
  const args = isRuntime ? ['state', id] : ['container', 'inspect', id]
  const value = await ask(command, args, id, env)
  const container: unknown = Array.isArray(value) ? value[0] : value
  if (!isObject(container)) throw unreadable(command, id)
  if (isRuntime) {
    const labels = isObject(container['annotations']) ? container['annotations'] : {}
    const stopSignal = labels['org.opencontainers.image.stopSignal']
    return {
      labels,
      restart: undefined,
      stopSignal: asText(stopSignal),
      hasInit: false,
      request: undefined,
    }
  }
  const { Config: config, HostConfig: hostConfig } = container
  const labels = isObject(config) && isObject(config['Labels']) ? config['Labels'] : {}
  const { Init: init, RestartPolicy: policy } = isObject(hostConfig) ? hostConfig : {}
  return {
    labels,
    restart: isObject(policy) ? asText(policy['Name']) : undefined,
    stopSignal: undefined,
    hasInit: init === true,
    request: requestIn(config, hostConfig),
  }
}

function requestIn(config: unknown, hostConfig: unknown): string | undefined {
  const annotations = isObject(hostConfig) ? hostConfig['Annotations'] : undefined
  const annotation = isObject(annotations) ? asText(annotations[REQUEST_ANNOTATION]) : undefined
  const environment = isObject(config) && Array.isArray(config['Env']) ? config['Env'] : []
  return annotation ?? valueOfVariable(environment, REQUEST_VARIABLE)
}

/** What the engines say where they have no such container: of runc and crun, one by its directory. */
const NONE =
  /no such (?:container|object)|no container with|does not exist|\/status\W+no such file/i
const ANSWER_MS = 30_000

async function ask(
  { file, globals, engine }: EngineCommand,
  args: string[],
  id: string,
  env: NodeJS.ProcessEnv,
): Promise<unknown> {
  const answer = await runCommand({ file, args: [...globals, ...args] }, env, ANSWER_MS)
  const isNone = answer.code !== undefined && NONE.test(answer.reason)
  try {
    if (answer.code === 0) return JSON.parse(answer.stdout)
  } catch {
    // It is no answer then.
  }
  if (isNone) {
    throw new EngineError(
      'ERR_ENGINE_NOT_PREPARED',
      `${engine} start ${id}: expected a container that has been created: ${answer.reason}`,
    )
  }
  throw new EngineError(
    'ERR_ENGINE_UNREACHABLE',
    `${engine} start ${id}: expected ${engine} to tell of the container, and it does not: ${answer.reason || 'its answer is no JSON'}`,
  )
}

function unreadable({ engine }: EngineCommand, id: string): EngineError {
  return new EngineError(
    'ERR_ENGINE_NOT_PREPARED',
    `${engine} start ${id}: the engine says nothing of such a container`,
  )
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
