import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Inbox } from './inbox.js'

const FIXTURE = fileURLToPath(new URL('fixtures/without-descriptors.mjs', import.meta.url))

test('a busy manager when no descriptor is left: an error, and later messages are sent', async () => {
  const inbox = new Inbox()
  inbox.receiver.pause()
  const command = 'ulimit -n 64 && exec "$0" "$1"'
  const child = spawn('/bin/sh', ['-c', command, process.execPath, FIXTURE], {
    env: { PATH: process.env['PATH'], ...inbox.env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [error] = await once(child, 'message')
  expect(error).toEqual({ code: 'ERR_NOTIFY_SEND_FAILED', cause: 'EMFILE' })
  inbox.receiver.resume()
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(inbox.said).toContainEqual({ ready: true })
})
