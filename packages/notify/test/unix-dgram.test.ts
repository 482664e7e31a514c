import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { findUnixDgram } from '../../../test/support/unix-dgram.js'
import { unixDgram } from '../src/unix-dgram.js'
import { installedCopy } from './installed-copy.js'
import { RawInbox } from './raw-inbox.js'

// A user's program, which installed unix-dgram or did not.
const PROGRAM = `
import { ready } from '@sdbridge/notify'
import { unixDgram } from '@sdbridge/notify/unix-dgram'

const outcome = await ready('up', { transport: unixDgram() }).catch((error) => error)
process.stdout.write(outcome === true ? 'sent' : outcome.code + ': ' + outcome.message)
`

const found = await findUnixDgram()

test('the module is something else: an error', () => {
  // @ts-expect-error: no module
  expect(() => unixDgram({})).toThrow(TypeError)
  // @ts-expect-error: no module
  expect(() => unixDgram('unix-dgram')).toThrow(/"module" must be .*, received 'unix-dgram'/)
})

test('the same module has the same transport, and so one queue', () => {
  const module = { createSocket: () => undefined }
  expect(unixDgram(module)).toBe(unixDgram(module))
  expect(unixDgram()).toBe(unixDgram())
  expect(unixDgram()).not.toBe(unixDgram(module))
})

test('a Worker: refused, and the module is not touched', async () => {
  const fixture = fileURLToPath(new URL('fixtures/send-in-worker.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [fixture], {
    env: { NOTIFY_SOCKET: join(temporaryDirectory(), 'notify') },
  })
  expect(JSON.parse(stdout)).toEqual({
    code: 'ERR_NOTIFY_UNSUPPORTED',
    message: expect.stringContaining('Worker'),
  })
})

describe('the package', () => {
  test('is not installed: the error says how to install it', async () => {
    const { output } = await runIn(installedCopy({ prebuilds: true }))
    expect(output).toMatch(/^ERR_NOTIFY_UNSUPPORTED: .*npm install unix-dgram$/)
  })

  test.runIf(found)('is installed: it is found and used', async () => {
    const { output, inbox } = await runIn(projectWith(found!.path))
    expect(output).toBe('sent')
    await inbox.until(1)
    expect(inbox.texts).toEqual(['READY=1\nSTATUS=up'])
  })

  test.runIf(found)('is installed, and its script did not run: the error says so', async () => {
    const project = projectWith(found!.path)
    rmSync(join(project, 'node_modules/unix-dgram/build'), { recursive: true })
    const { output } = await runIn(project)
    expect(output).toMatch(/^ERR_NOTIFY_UNSUPPORTED: .*does not load.*allowScripts/)
  })
})

// With all of the cache's node_modules, as npm has installed them.
function projectWith(path: string): string {
  const project = installedCopy({ prebuilds: true })
  const modules = dirname(dirname(dirname(path)))
  for (const name of ['unix-dgram', 'bindings', 'file-uri-to-path']) {
    mkdirSync(join(project, 'node_modules', name))
    cpSync(join(modules, name), join(project, 'node_modules', name), { recursive: true })
  }
  return project
}

async function runIn(project: string): Promise<{ output: string; inbox: RawInbox }> {
  const inbox = new RawInbox(join(temporaryDirectory(), 'notify'))
  writeFileSync(join(project, 'program.mjs'), PROGRAM)
  const { stdout } = await promisify(execFile)(process.execPath, ['program.mjs'], {
    cwd: project,
    env: inbox.env,
    timeout: 25_000,
  })
  return { output: stdout, inbox }
}
