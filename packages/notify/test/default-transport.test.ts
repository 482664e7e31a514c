import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { isRoot, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { installedCopy } from './installed-copy.js'
import { RawInbox } from './raw-inbox.js'

// Sends to two managers, and says what each call gives.
const PROGRAM = `
import { barrier, ready, reloading } from '@sdbridge/notify'

const outcomes = []
for (const NOTIFY_SOCKET of process.argv.slice(2)) {
  const options = { env: { NOTIFY_SOCKET } }
  const { code, message, cause } = await ready('up', options).catch((error) => error)
  if (code !== undefined) outcomes.push({ code, message, cause: cause?.code })
  else outcomes.push(await reloading(options), await barrier(options))
}
process.stdout.write(JSON.stringify(outcomes))
`

const hasSystemdNotify = works('systemd-notify', '--version')

describe('an installation without a binary of the addon', () => {
  test.runIf(hasSystemdNotify)('sends by systemd-notify, and warns of it once', async () => {
    const inboxes = [1, 2].map(() => new RawInbox(join(temporaryDirectory(), 'notify')))
    const { outcomes, stderr } = await send([process.execPath], inboxes)
    expect(outcomes).toEqual([true, 'unsupported', true, 'unsupported'])
    for (const inbox of inboxes) {
      await inbox.until(2)
      expect(inbox.texts).toEqual([
        'READY=1\nSTATUS=up',
        expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/),
      ])
    }
    expect(stderr.match(/NOTIFY_ADDON_UNAVAILABLE/g)).toHaveLength(1)
    expect(stderr).toContain('systemd-notify')
    expect(stderr).toContain('NotifyAccess=all')
  })

  // The program is always found in /usr/bin, so it is hidden there.
  const hides = isRoot() && works('unshare', '--mount', 'true')
  test.runIf(hides && hasSystemdNotify)(
    'and without systemd-notify says in one error what is missing',
    async () => {
      const inbox = new RawInbox(join(temporaryDirectory(), 'notify'))
      const hide = 'mount --bind /dev/null /usr/bin/systemd-notify && exec "$0" "$@"'
      const command = ['unshare', '--mount', 'sh', '-c', hide, process.execPath]
      const { outcomes, stderr } = await send(command, [inbox])
      expect(outcomes).toEqual([
        {
          code: 'ERR_NOTIFY_SEND_FAILED',
          cause: 'ERR_SYSCALLS_UNAVAILABLE',
          message: expect.stringMatching(/no working binary.*Install systemd-notify\(1\)/),
        },
      ])
      expect(stderr).toBe('')
      expect(inbox.texts).toEqual([])
    },
  )
})

async function send(
  [program = '', ...args]: string[],
  inboxes: RawInbox[],
): Promise<{ outcomes: unknown; stderr: string }> {
  const cwd = installedCopy({ prebuilds: false })
  writeFileSync(join(cwd, 'program.mjs'), PROGRAM)
  const paths = inboxes.map(({ path }) => path)
  const { stdout, stderr } = await promisify(execFile)(
    program,
    [...args, 'program.mjs', ...paths],
    {
      cwd,
      env: { PATH: process.env['PATH'] },
      timeout: 25_000,
    },
  )
  return { outcomes: JSON.parse(stdout), stderr }
}
