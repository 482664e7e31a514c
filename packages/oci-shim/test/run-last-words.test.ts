import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { payload } from './run/bundle.js'
import { scriptedEngine } from './run/scripted-engine.js'
import { underUnreadManager } from './run/unread-manager.js'

// More than the kernel keeps for a receiver that does not read (net.unix.max_dgram_qlen).
const TEXTS = Array.from({ length: 100 }, (_, index) => `X_NUMBER=${index}`)
const SEND = payload(...TEXTS.map((text) => `send:${text}`))

describe.skipIf(!works(PYTHON, '--version'))('while the manager is busy', () => {
  test('what was said at the end is not lost', async () => {
    const { bridge, ended, read } = underUnreadManager([...SEND, 'pid'])
    const [pid] = (await once(bridge.stdout.setEncoding('utf8'), 'data')) as [string]
    await vi.waitFor(() => expect(existsSync(`/proc/${pid.trim()}`)).toBe(false))
    const received = await read()
    expect(await ended).toEqual([0, null])
    await vi.waitFor(() => expect(received).toEqual(TEXTS))
  })

  // Podman's part is played, and its container speaks in the middle of its removal: its client was killed.
  test('nor what a container said while it was being removed', async () => {
    const { file, directory } = scriptedEngine(
      'podman',
      `case "$1" in
  info) echo '{"host":{}}' ;;
  run)
    for word; do
      case $word in *source=*) word=\${word#*source=}; echo "\${word%%,*}" >"$directory/notify" ;; esac
      [ "$previous" != --cidfile ] || printf ${'0'.repeat(64)} >"$word"
      previous=$word
    done
    kill -KILL $$
    ;;
  container) echo 'Error: no such container' >&2; exit 125 ;;
  rm)
    export NOTIFY_SOCKET="$(cat "$directory/notify")/notify.sock"
    ${SEND.join(' ')}
    touch "$directory/removed"
    ;;
esac`,
    )
    const { ended, read } = underUnreadManager([file, 'run', '--name', 'web', 'image'])
    await vi.waitFor(() => expect(existsSync(join(directory, 'removed'))).toBe(true), 20_000)
    const received = await read()
    expect(await ended).toEqual([null, 'SIGKILL'])
    await vi.waitFor(() => expect(received).toEqual(TEXTS))
  })
})
