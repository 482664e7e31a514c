// Runs every scenario once, and calls every function of the addon with wrong arguments; one that no scenario and no call
// here has met by its end fails.
import { native } from '../../dist/native.js'
import { scenarios } from './scenarios.mjs'

const addon = native()
const never = new Set(Object.keys(addon))
for (const [name, real] of Object.entries(addon)) {
  addon[name] = (...args) => {
    never.delete(name)
    return real(...args)
  }
}

// valgrind knows no pidfds and Node makes no memfd, which these are for, or the kernel is new enough to do without.
addon.filesystemType(0)
addon.getSeals(0)
addon.kcmpFile(0, 0)
addon.pidfdSendSignal(-1, 0)
const [P_PID, WNOHANG_AND_WEXITED] = [1, 1 | 4]
addon.waitid(P_PID, process.pid, WNOHANG_AND_WEXITED, new Int32Array(3))

for (const { run } of Object.values(scenarios)) {
  const closers = []
  try {
    await run((close) => closers.unshift(close))
  } catch (error) {
    // valgrind does not know the newest system calls.
    if (error.code !== 'ENOSYS') throw error
  }
  for (const close of closers) await close()
}
if (never.size > 0) throw new Error(`no scenario calls ${[...never].join(', ')}`)

const some = [-1, undefined, new Uint8Array(0), new Uint8Array(1), new Int32Array(0), () => {}]
for (const call of Object.values(addon)) {
  for (const value of some) {
    try {
      call(...Array(6).fill(value))
    } catch {
      // As it should be.
    }
  }
}
process.stdout.write('every function was called\n')
process.exit()
