import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'

const SDRUN = fileURLToPath(new URL('../bin/sdrun.js', import.meta.url))
const FIXTURE = fileURLToPath(new URL('fixtures/service.mjs', import.meta.url))

/** `sdrun`, and what it has written to standard error. */
interface Run {
  child: ChildProcess
  log: string
}

describe('sdrun on the command line', () => {
  test('explains itself', async () => {
    const output = await outputOf(sdrun(['--help']))
    expect(output).toMatch(/^Usage: sdrun [^]*--listen-stream[^]*Exit code/)
  })

  test.each([
    [[], 'no COMMAND'],
    [['--frobnicate', 'true'], '--frobnicate'],
    [['--watchdog-sec', 'soon', 'true'], "'soon'"],
    [['--watchdog-sec'], '--watchdog-sec'],
    [['--type', 'forking', 'true'], 'simple or notify or notify-reload'],
    [['--listen-stream', 'nowhere', 'true'], "cannot listen on 'nowhere'"],
  ])('refuses %j with exit code 2', async (args, message) => {
    const run = sdrun(args)
    await once(run.child, 'close')
    expect(run.child.exitCode).toBe(2)
    expect(run.log).toContain(message)
    expect(run.log).toContain('sdrun --help')
  })

  test('says which socket it could not open, with exit code 1 and no stack', async () => {
    const run = sdrun(['--listen-stream', '/nonexistent/a=b.sock', 'true'])
    await once(run.child, 'close')
    expect(run.child.exitCode).toBe(1)
    expect(run.log).toMatch(/^sdrun: ENOENT.*'\/nonexistent\/a=b\.sock'\n$/)
  })

  test("leaves the command's own options to the command", async () => {
    const run = sdrun(['--type', 'simple', 'sh', '-c', 'echo "$1"', 'sh', '--help'])
    expect(await outputOf(run)).toBe('--help\n')
  })
})

describe('sdrun', () => {
  test('ends with the service, and fails if it failed', async () => {
    const well = sdrun(['--type', 'simple', 'true'])
    await once(well.child, 'close')
    expect(well.child.exitCode).toBe(0)

    const badly = sdrun(['--type', 'simple', 'sh', '-c', 'exit 3'])
    await once(badly.child, 'close')
    expect(badly.child.exitCode).toBe(1)
    expect(badly.log).toContain('result exit-code')
  })

  test('stops the service on SIGTERM, and reloads and restarts it on request', async () => {
    const run = sdrun(['--type', 'notify-reload', process.execPath, FIXTURE])
    await said(run, '-> active (running)')
    run.child.kill('SIGHUP')
    await said(run, 'status="reloaded"')
    run.child.kill('SIGUSR2')
    await said(run, '-> active (running)', 3)
    run.child.kill('SIGTERM')
    expect(await once(run.child, 'exit')).toEqual([0, null])
    expect(run.log).toContain('-> inactive (dead)')
  })

  test('waits for the first connection', async () => {
    const run = sdrun(['--listen-stream', 'web=127.0.0.1:0', '--', process.execPath, FIXTURE])
    await said(run, 'listening on')
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(run.log)![1])
    expect(run.log).not.toContain('activating')
    expect(await text(connect({ port }))).toMatch(/^web \d+\n$/)
    run.child.kill('SIGTERM')
    expect(await once(run.child, 'exit')).toEqual([0, null])
  })

  test('restarts a service that fails when it is stopped', async () => {
    const run = sdrun(['--type', 'notify', process.execPath, FIXTURE, 'fail-at-stop'])
    await said(run, '-> active (running)')
    run.child.kill('SIGUSR2')
    await said(run, '-> active (running)', 2)
    run.child.kill('SIGTERM')
    expect(await once(run.child, 'exit')).toEqual([1, null])
  })

  test('kills a service that will not stop when asked a second time', async () => {
    const run = sdrun(['--type', 'notify', process.execPath, FIXTURE, 'deaf-to-stop'])
    await said(run, '-> active (running)')
    run.child.kill('SIGINT')
    await said(run, 'SIGTERM to the service')
    run.child.kill('SIGINT')
    // It did not end well, and that is what is told.
    expect(await once(run.child, 'exit')).toEqual([1, null])
    expect(run.log).toContain('SIGKILL to the service')
  })

  test('goes on when nobody reads its messages any more', async () => {
    const run = sdrun(['--listen-stream', '127.0.0.1:0', '--now', process.execPath, FIXTURE])
    await said(run, '-> active (running)')
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(run.log)![1])
    run.child.stderr!.destroy()
    run.child.kill('SIGHUP')
    run.child.kill('SIGUSR2')
    expect(await text(connect({ port }))).toMatch(/ \d+\n$/)
    run.child.kill('SIGTERM')
    expect(await once(run.child, 'exit')).toEqual([0, null])
  })

  test('says nothing with --quiet', async () => {
    const run = sdrun(['--quiet', '--type', 'simple', 'true'])
    await once(run.child, 'close')
    expect(run.log).toBe('')
  })
})

function sdrun(args: string[]): Run {
  const child = spawn(process.execPath, [SDRUN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const run: Run = { child, log: '' }
  child.stderr.setEncoding('utf8').on('data', (chunk) => (run.log += chunk))
  onTestFinished(() => void child.kill())
  return run
}

async function outputOf({ child }: Run): Promise<string> {
  const [output] = await Promise.all([text(child.stdout!), once(child, 'close')])
  expect(child.exitCode).toBe(0)
  return output
}

async function said(run: Run, message: string, times = 1): Promise<void> {
  while (run.log.split(message).length <= times) {
    if (run.child.exitCode !== null) throw new Error(`sdrun has ended:\n${run.log}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
