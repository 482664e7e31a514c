import type { Readable } from 'node:stream'
import { PLACES, type Places } from '../daemon/places.js'
import { readBounded } from './bounded-input.js'
import { parseState } from './container-state.js'
import { type LifecycleStage, registerContainer, unregisterContainer } from './lifecycle-hook.js'

/** Whether a container starts that cannot be bridged. */
export type FailurePolicy = 'fail' | 'ignore'

const MOST_STATE_BYTES = 1024 * 1024
const STATE_MS = 5000

/** `sdbridge hook createRuntime`, and `poststop`. @returns The exit code: that of a container's removal is 0 in any case. */
export async function runLifecycleHook(
  stage: LifecycleStage,
  onFailure: FailurePolicy,
  input: Readable = process.stdin,
  places: Places = PLACES,
): Promise<number> {
  try {
    const text = await readBounded(input, { mostBytes: MOST_STATE_BYTES, timeoutMs: STATE_MS })
    const tellDaemon = stage === 'createRuntime' ? registerContainer : unregisterContainer
    await tellDaemon(parseState(text), places)
    return 0
  } catch (error) {
    const isFailure = stage === 'createRuntime' && onFailure === 'fail'
    // Loaded here: no other hook has a use for it.
    const { tellCaller } = await import('../injection/tell-caller.js')
    tellCaller((error as Error).message, { fails: isFailure })
    return isFailure ? 125 : 0
  }
}
