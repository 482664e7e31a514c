import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe } from 'vitest'
import { PYTHON, works } from '../../../../test/support/real-program.js'
import { canCompare, testAgreement } from './agreement.js'

const LIBRARY = 'import ctypes; ctypes.CDLL("libsystemd.so.0")'
const possible =
  canCompare() && works('systemd-notify', '--version') && works(PYTHON, '-c', LIBRARY)

describe.runIf(possible)('the libsystemd of this machine agrees on', () => {
  if (!possible) return
  const text = execFileSync('systemd-notify', ['--version'], { encoding: 'utf8' })
  testAgreement(() => ({
    node: process.execPath,
    folder: fileURLToPath(new URL('.', import.meta.url)),
    version: Number(/^systemd (\d+)/.exec(text)![1]),
    enter: (command) => command,
  }))
})
