import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { works } from '../../../test/support/real-program.js'
import { Inbox } from './inbox.js'

const run = promisify(execFile)

describe.runIf(works('systemd-notify', '--version'))('systemd-notify is understood:', () => {
  test('--ready --status, with the barrier that it waits for', async () => {
    const inbox = new Inbox()
    // Without an answer to its barrier it would fail after five seconds.
    await systemdNotify(inbox, '--ready', '--status=Working: 50 %')
    expect(inbox.said).toEqual([{ ready: true, status: 'Working: 50 %' }])
    expect(inbox.rejections).toEqual([])
  })

  test('--pid, WATCHDOG=1 and keys of its caller', async () => {
    const inbox = new Inbox()
    await systemdNotify(inbox, '--pid=4711', 'WATCHDOG=1', 'X_SDBRIDGE_TEST=one two')
    expect(inbox.said).toMatchObject([
      { mainPid: 4711, watchdog: true, extra: { X_SDBRIDGE_TEST: 'one two' } },
    ])
  })

  test('its sender is its parent, as it claims being root, or else itself', async () => {
    const inbox = new Inbox()
    await systemdNotify(inbox, '--no-block', '--ready')
    await inbox.until(1)
    const { sender } = inbox.notifications[0]!
    if (process.getuid!() === 0) expect(sender.pid).toBe(process.pid)
    else expect(sender.uid).toBe(process.getuid!())
  })
})

async function systemdNotify(inbox: Inbox, ...args: string[]): Promise<void> {
  await run('systemd-notify', args, { env: { PATH: process.env['PATH'], ...inbox.env } })
}
