import { execFileSync } from 'node:child_process'
import { describe } from 'vitest'
import { works } from '../../../../test/support/real-program.js'
import { testConformance } from './conformance.js'

const possible = works('systemd-notify', '--version') && works('cc', '--version')

describe.runIf(possible)('the systemd of this machine:', () => {
  if (!possible) return
  const text = execFileSync('systemd-notify', ['--version'], { encoding: 'utf8' })
  testConformance(Number(/^systemd (\d+)/.exec(text)![1]))
})
