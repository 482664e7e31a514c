import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { parseEngineCommand } from '../src/engines/engine-command.js'
import { checkSystemd } from '../src/run/check-systemd.js'
import { InnerSystemd } from '../src/run/inner-systemd.js'

describe('the host of a container whose first process is systemd', () => {
  const words = ['runc', 'run', 'web']
  const command = parseEngineCommand(words)
  const asked = { command: words, print: false, senders: 'init' as const }

  test('has cgroups of version 2, and no others', () => {
    const cgroups = temporaryDirectory()
    const check = (print: boolean) => () =>
      checkSystemd({ ...asked, print }, command, { watchdogUsec: undefined }, cgroups)
    expect(check(false)).toThrow(/cgroups of version 1/)
    expect(check(true)).not.toThrow()
    writeFileSync(join(cgroups, 'cgroup.controllers'), '')
    expect(check(false)).not.toThrow()
  })
})

describe('systemd as the payload', () => {
  test('is reachable by signals from the message that says so', () => {
    let times = 0
    const inner = new InnerSystemd(() => times++)
    inner.hear({ extra: { X_SYSTEMD_HOSTNAME: 'web' } })
    expect(times).toBe(0)
    inner.hear({ extra: { X_SYSTEMD_SIGNALS_LEVEL: '2' } })
    inner.hear({ ready: true })
    expect(times).toBe(1)
  })

  test.each([{ ready: true }, { status: 'Starting...' }] as const)(
    'before 256, from %j',
    (message) => {
      let times = 0
      new InnerSystemd(() => times++).hear(message)
      expect(times).toBe(1)
    },
  )

  test('that has rebooted, and that has not', () => {
    const inner = new InnerSystemd(() => undefined)
    expect(inner.endingOf({ code: 0 })).toEqual({ code: 0 })
    inner.hear({ extra: { X_SYSTEMD_SHUTDOWN: 'poweroff' } })
    expect(inner.endingOf({ code: 0 })).toEqual({ code: 0 })
    inner.hear({ extra: { X_SYSTEMD_SHUTDOWN: 'reboot' } })
    inner.hear({ ready: true })
    // With CAP_SYS_BOOT, which kills the first process.
    expect(inner.endingOf({ signal: 'SIGHUP' })).toEqual({ code: 133 })
  })
})
