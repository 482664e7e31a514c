import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FailurePolicy } from '../hooks/run-lifecycle-hook.js'
import type { LifecycleStage } from '../hooks/lifecycle-hook.js'

/** A hook, as configurations of containers and files of oci-hooks(5) have it. */
export type ConfiguredHook = {
  path: string
  args: string[]
  env?: string[]
  /** Seconds. */
  timeout: number
}

export const LIFECYCLE_STAGES: readonly LifecycleStage[] = ['createRuntime', 'poststop']

/** `sdbridge hook STAGE`, as podman calls it, which gives it an empty environment: by absolute paths. */
export function sdbridgeHook(words: readonly string[], timeout: number): ConfiguredHook {
  return hookOf('sdbridge.js', words, timeout)
}

/**
 * A hook by which the daemon hears of a container. It has an environment of its own: without one, runc and crun would hand theirs on, with what
 * makes Node or the linker load something, and `$NOTIFY_SOCKET`. Not an empty one, which podman and CRI-O drop when they write a configuration.
 */
export function lifecycleHook(stage: LifecycleStage, onFailure: FailurePolicy): ConfiguredHook {
  const options = stage === 'createRuntime' && onFailure === 'ignore' ? ['--on-failure=ignore'] : []
  return { ...hookOf('sdbridge-hook.cjs', [stage, ...options], TIMEOUT_SEC), env: [PATH] }
}

function hookOf(program: string, words: readonly string[], timeout: number): ConfiguredHook {
  const script = realpathSync(fileURLToPath(new URL(`../../bin/${program}`, import.meta.url)))
  return { path: process.execPath, args: ['sdbridge', script, 'hook', ...words], timeout }
}

/** More than it takes itself to give up, so that it can say why. */
const TIMEOUT_SEC = 20
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
