import type { EngineCommand } from './engine-command.js'
import { EngineError } from './engine-error.js'
import type { BridgeFacts, Launch } from './launch.js'
import { planBundleLaunch } from './plan-bundle-launch.js'
import { planImageLaunch } from './plan-image-launch.js'
import type { PreparedContainer } from './prepared-container.js'

/**
 * Adds to an engine's command line what the bridge needs, right behind the verb, and only what is missing there. Reads a bundle
 * (runc, crun) and writes nothing: what has to be written is written by the launch's `prepare()`.
 *
 * @param prepared What {@link findPreparedContainer} has found, for `start`.
 * @throws {@link EngineError} for what goes against a unit or the bridge.
 */
export async function planLaunch(
  command: EngineCommand,
  facts: BridgeFacts,
  prepared?: PreparedContainer,
): Promise<Launch> {
  const plan = await planOf(command, facts, prepared)
  if (command.unknownOptions.length === 0) return plan
  const unknown = command.unknownOptions.join(', ')
  const warning = `${command.engine} ${command.verb}: unknown here: ${unknown}; taken to be followed by a value, unless that begins with a dash (write NAME=VALUE to be sure)`
  return { ...plan, warnings: [...plan.warnings, warning] }
}

async function planOf(
  command: EngineCommand,
  facts: BridgeFacts,
  prepared: PreparedContainer | undefined,
): Promise<Launch> {
  checkOperands(command)
  if (command.engine === 'runc' || command.engine === 'crun')
    return await planBundleLaunch(command, { ...facts, engine: command.engine }, prepared)
  return planImageLaunch({ ...command, engine: command.engine }, facts)
}

function checkOperands({ engine, verb, operands }: EngineCommand): void {
  const isImage = verb !== 'start' && engine !== 'runc' && engine !== 'crun'
  const what = isImage ? 'an image' : 'one container'
  if (operands.length === 0 || (!isImage && operands.length > 1)) {
    const found = operands.length === 0 ? 'none' : operands.join(', ')
    throw new EngineError(
      'ERR_ENGINE_OPERAND',
      `${engine} ${verb}: expected ${what}, found ${found}`,
    )
  }
}
