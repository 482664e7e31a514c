import { type FailurePolicy, runLifecycleHook } from './run-lifecycle-hook.js'
import type { LifecycleStage } from './lifecycle-hook.js'

// A program of its own, bundled into one file of CommonJS, which Node starts in two thirds of a module's time: an engine waits for it with each
// container. It knows the words that `sdbridge prepare` and `sdbridge hook install` write; any others are for the whole command.
const CALLS: Readonly<Record<string, readonly [LifecycleStage, FailurePolicy]>> = {
  'hook createRuntime': ['createRuntime', 'fail'],
  'hook createRuntime --on-failure=ignore': ['createRuntime', 'ignore'],
  'hook poststop': ['poststop', 'ignore'],
}

const call = CALLS[process.argv.slice(2).join(' ')]
if (call === undefined) {
  void import('../cli/main.js')
} else {
  // At once: to take down what has nothing to do any more would cost an engine a millisecond.
  void runLifecycleHook(...call).then((code) => process.exit(code))
}
