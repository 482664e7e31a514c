import { execFile } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { isRoot, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { RawInbox } from './raw-inbox.js'

const FIXTURE = fileURLToPath(new URL('fixtures/send-by-transport.mjs', import.meta.url))

describe.runIf(works('systemd-notify', '--version'))('the transport systemd-notify', () => {
  test.runIf(isRoot())('speaks as another process where it is not root', async () => {
    const inbox = newInbox()
    chmodSync(dirname(inbox.path), 0o755)
    chmodSync(inbox.path, 0o666)
    const child = await run(inbox, { TEST_IDS: '65534:65534' })
    await inbox.until(3)
    expect(inbox.messages).toHaveLength(3)
    for (const { pid } of inbox.messages) expect(pid).not.toBe(child)
  })

  test.runIf(isRoot())('speaks as the service where it is root', async () => {
    const inbox = newInbox()
    const child = await run(inbox)
    await inbox.until(3)
    expect(new Set(inbox.messages.map(({ pid }) => pid))).toEqual(new Set([child]))
  })

  test('counts a message as sent that the manager has and does not answer', async () => {
    const inbox = newInbox()
    inbox.pause()
    await run(inbox, {}, 'once')
    inbox.resume()
    await inbox.until(1)
    expect(inbox.texts[0]).toBe('READY=1')
  })

  test('gives the program nothing of the environment but the address', async () => {
    const inbox = newInbox()
    const directory = programThat('env > "$(dirname "$0")/environment"; exec systemd-notify "$@"')
    const PATH = `${directory}:${process.env['PATH']}`
    // The shell finds the real one, as this one takes itself out of the way.
    await run(inbox, { PATH, LISTEN_FDS: '1', WATCHDOG_USEC: '60000000', LD_PRELOAD: '' })
    await inbox.until(3)
    const names = readFileSync(join(directory, 'environment'), 'utf8').match(/^\w+(?==)/gm)
    // What the shell adds by itself is left out.
    const passed = names!.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name))
    expect(passed.toSorted()).toEqual(['LC_ALL', 'NOTIFY_SOCKET', 'PATH'])
  })

  test.each([
    ['echo "no such luck" >&2; exit 3', /systemd-notify\(1\) says: no such luck/],
    ['exit 3', /ended with exit code 3/],
    ['kill -SEGV $$', /ended by SIGSEGV/],
  ])('fails when the program does `%s`', async (script, reason) => {
    const inbox = newInbox()
    const PATH = `${programThat(script)}:${process.env['PATH']}`
    await expect(run(inbox, { PATH })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(reason),
    })
  })

  test('says when the program cannot be started', async () => {
    const inbox = newInbox()
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'systemd-notify'), '#!/nonexistent/interpreter\n', {
      mode: 0o755,
    })
    await expect(run(inbox, { PATH: directory })).rejects.toMatchObject({
      stderr: expect.stringMatching(
        /systemd-notify\(1\).*could not be started: spawn .*ENOENT[^]*ERR_NOTIFY_SEND_FAILED/,
      ),
    })
  })
})

function newInbox(): RawInbox {
  return new RawInbox(join(temporaryDirectory(), 'notify'))
}

function programThat(script: string): string {
  const directory = temporaryDirectory()
  const body = script.replace('exec systemd-notify', 'PATH=/usr/bin:/bin exec systemd-notify')
  writeFileSync(join(directory, 'systemd-notify'), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  return directory
}

/** By default three times READY=1. Resolves with the child's pid. */
async function run(inbox: RawInbox, env: object = {}, act = 'ready'): Promise<number | undefined> {
  const running = promisify(execFile)(process.execPath, [FIXTURE, act], {
    env: {
      PATH: process.env['PATH'],
      ...inbox.env,
      TEST_TRANSPORT: 'systemd-notify',
      ...env,
    },
    timeout: 25_000,
    killSignal: 'SIGKILL',
  })
  await running
  return running.child.pid
}
