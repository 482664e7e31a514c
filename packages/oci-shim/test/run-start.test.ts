import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { ENVIRONMENT, SDBRIDGE } from './run/unit.js'

// What is tested is what the bridge makes of answers, which a real engine gives when it is ill: so they are played.
describe('an engine that is asked for the container of a start', () => {
  test.each([
    [
      'that has no such one',
      'echo Error: No such container: web >&2; exit 1',
      2,
      'No such container',
    ],
    ['and is away', 'echo Cannot connect to the Docker daemon >&2; exit 1', 125, 'Cannot connect'],
    [
      'that is not spoken to',
      'echo connect: no such file or directory >&2; exit 1',
      125,
      'connect',
    ],
    ['that is killed', 'kill -KILL $$', 125, 'SIGKILL'],
    ['that says something else', 'echo hello', 125, 'no JSON'],
    [
      'in the environment of all that is started',
      'echo "No such container: <$NOTIFY_SOCKET$INVOCATION_ID$LISTEN_FDS>" >&2; exit 1',
      2,
      'No such container: <>',
    ],
  ])('%s', (_, script, code, message) => {
    const file = join(temporaryDirectory(), 'docker')
    writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const { status, stderr } = start(file)
    expect(stderr).toContain(message)
    expect(status).toBe(code)
  })

  test('that is not there', () => {
    const { status, stderr } = start('/nonexistent/docker')
    expect(stderr).toContain('/nonexistent/docker does not exist')
    expect(status).toBe(127)
  })
})

/** With `--print` it is asked for nothing else. */
function start(file: string): { status: number | null; stderr: string } {
  const words = [SDBRIDGE, 'run', '--print', '--unit', 'web.service', '--', file, 'start', 'web']
  const env = { ...ENVIRONMENT, NOTIFY_SOCKET: '/nonexistent/notify', INVOCATION_ID: 'abc' }
  return spawnSync(process.execPath, words, { encoding: 'utf8', env })
}
