// `sdbridge hook STAGE`, with a daemon of the test's: `run-hook.mjs STAGE POLICY NOTIFY-BASE RUNTIME-DIRECTORY`.
import { runLifecycleHook } from '../../dist/hooks/run-lifecycle-hook.js'

const [stage, onFailure, notifyBase, runtime] = process.argv.slice(2)
const places = { notifyBase, runtime, allowList: '/nonexistent' }
process.exitCode = await runLifecycleHook(stage, onFailure, process.stdin, places)
