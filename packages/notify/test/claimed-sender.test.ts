import { describe, expect, test } from 'vitest'
import { isRoot } from '../../../test/support/real-program.js'
import { notify } from '../src/index.js'
import { Inbox } from './inbox.js'
import { Program } from './program.js'

describe('the sender of a notification', () => {
  test.runIf(isRoot())('is the one that root claims', async () => {
    const inbox = new Inbox()
    await notify({ ready: true }, { env: inbox.env, pid: process.ppid })
    await notify({ ready: true }, { env: inbox.env, pid: process.pid })
    await notify({ ready: true }, { env: inbox.env, pid: 0 })
    await notify({ fdStore: true }, { env: inbox.env, pid: process.ppid, fds: [0] })
    await inbox.until(4)
    const pids = inbox.notifications.map(({ sender }) => sender.pid)
    expect(pids).toEqual([process.ppid, process.pid, process.pid, process.ppid])
    expect(inbox.fds).toHaveLength(1)
  })

  test.runIf(isRoot())(
    'is oneself where the kernel refuses the claim, and a warning says so',
    async () => {
      // Anybody may send there.
      const inbox = new Inbox()
      const source = `
      import { notify } from '@sdbridge/notify'
      await notify({ watchdog: true }) // Loads the addon.
      process.setgroups([]); process.setgid(65534); process.setuid(65534)
      for (const status of ['one', 'two']) await notify({ status }, { pid: 1 })`
      const program = new Program(source, inbox.env)
      expect(await program.ended).toEqual({ code: 0, signal: null })
      await inbox.until(3)
      const { pid } = program
      expect(inbox.notifications.slice(1).map(({ sender }) => sender)).toEqual([
        { pid, uid: 65534, gid: 65534 },
        { pid, uid: 65534, gid: 65534 },
      ])
      expect(program.stderr.match(/NOTIFY_SENDER_REFUSED/g)).toHaveLength(1)
      expect(program.stderr).toMatch(/in the name of pid 1 .*EPERM.*sent as pid \d+/)
    },
  )

  test.runIf(isRoot())('has its real ids, also when its effective ones are others', async () => {
    const inbox = new Inbox()
    const source = `
      import { notify } from '@sdbridge/notify'
      process.setegid(65534); process.seteuid(65534)
      await notify({ ready: true })`
    const program = new Program(source, inbox.env)
    await program.ended
    await inbox.until(1)
    expect(inbox.notifications[0]!.sender).toEqual({ pid: program.pid, uid: 0, gid: 0 })
  })

  test.each([-1, 1.5, Number.NaN, '1', 2 ** 31])('cannot be %s', async (pid) => {
    await expect(notify({ ready: true }, { env: {}, pid: pid as number })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    )
  })

  test('that does not exist is oneself', async () => {
    const inbox = new Inbox()
    await notify({ ready: true }, { env: inbox.env, pid: 2 ** 22 + 1 })
    await inbox.until(1)
    expect(inbox.notifications[0]!.sender.pid).toBe(process.pid)
  })
})
