import { execFileSync } from 'node:child_process'
import { describe, inject } from 'vitest'
import { testConformance } from '../../packages/notify/test/conformance/conformance.js'

const root = inject('newestRoot')

// The programs of that root file system run beside the tests, in no machine: what they say is the same.
describe.runIf(root)('the systemd of the newest Debian:', () => {
  if (root === undefined) return
  const text = execFileSync('chroot', [root, 'systemd-notify', '--version'], { encoding: 'utf8' })
  testConformance(Number(/^systemd (\d+)/.exec(text)![1]), root)
})
