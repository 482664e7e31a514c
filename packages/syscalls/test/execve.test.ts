import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { isRoot, PYTHON, UNDER_SANITIZER, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { closeFd, execve, pidfdOpen, RECORD_START_STATE, waitForExit } from '../src/index.js'
import { fixture, run, runFixture } from './program.js'

const FIXTURE = [process.execPath, fixture('execve.mjs')] as const

async function outputOf(name: string, ...args: string[]): Promise<string> {
  const outcome = await runFixture('execve.mjs', [name, ...args])
  expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
  return outcome.stdout
}

/** The same command, run by a shell with this script before it; with all that it says. */
async function shell(before: string, ...command: string[]): Promise<string> {
  const outcome = await run('/bin/sh', ['-c', `${before}\nexec "$@"`, 'sh', ...command])
  expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' })
  return outcome.stdout
}

describe('a program that becomes another', () => {
  test('keeps its pid, parent, working directory, umask and cgroup', async () => {
    const lines = (await outputOf('identity')).split('\n')
    expect(lines[0]).toMatch(new RegExp(`^\\d+ ${process.pid}$`))
    const cgroups = execFileSync('cat', ['/proc/self/cgroup'], { encoding: 'utf8' })
    expect(lines.slice(1).join('\n')).toBe(`${lines[0]}\n/\n0027\n${cgroups}`)
  })

  test('gives it its arguments, its own name, and no variables but those named', async () => {
    const output = await outputOf('names')
    const words = ['another name', '/proc/self/cmdline', '/proc/self/environ']
    expect(output.split('\0')).toEqual([...words, 'ONE=1', 'EMPTY=', 'ünï=cödé', ''])
  })

  test('gives it its own environment where none is named', async () => {
    const env = { ...process.env, FROM_PARENT: 'yes' }
    const outcome = await runFixture('execve.mjs', ['shell', 'echo $FROM_PARENT'], { env })
    expect(outcome).toMatchObject({ code: 0, stdout: 'yes\n', stderr: '' })
  })

  test('does not hand on the record of our own start, which has the same pid', async () => {
    const env = { ...process.env, SDBRIDGE_START_STATE: 'of this one' }
    const outcome = await runFixture('execve.mjs', ['shell', 'echo ${SDBRIDGE_START_STATE-gone}'], {
      env,
    })
    expect(outcome.stdout).toBe('gone\n')
  })

  test('gives it an environment of a megabyte', async () => {
    const variables = Array.from({ length: 16 }, (_, each) => `V${each}=${'x'.repeat(2 ** 16)}\0`)
    expect(await outputOf('environment')).toBe(variables.join(''))
  })

  test('becomes a script by the program that its first line names', async () => {
    const file = join(temporaryDirectory(), 'script')
    writeFileSync(file, '#!/bin/sh -u\necho "$0: $*"\n')
    chmodSync(file, 0o755)
    expect(await outputOf('program', '{}', file, 'one', 'two words')).toBe(
      `${file}: one two words\n`,
    )
  })

  test.each([
    ['exit 42', { code: 42, signal: null }],
    ['kill -TERM $$', { code: null, signal: 'SIGTERM' }],
  ])('ends for its parent as the other does: %s', async (script, end) => {
    const child = spawn(FIXTURE[0], [FIXTURE[1], 'shell', script], { stdio: 'ignore' })
    const exit = new Promise((resolve) => {
      child.on('exit', (code, signal) => resolve({ code, signal }))
    })
    const pidfd = pidfdOpen(child.pid!)
    const seen = await waitForExit(pidfd)
    closeFd(pidfd)
    // Node itself may have been there first.
    if (seen !== undefined) expect(seen).toEqual({ pid: child.pid, ...end })
    expect(await exit).toEqual(end)
  })

  test('while Workers, watchers, sockets and closes are at work', async () => {
    const [pid, ...threads] = (await outputOf('busy')).trim().split('\n')
    expect(threads).toEqual([pid])
  })

  test('from a Worker', async () => {
    const lines = (await outputOf('worker')).split('\n')
    expect(lines[1]).toBe(lines[0])
    expect(lines).toContain('Threads:\t1')
    expect(lines).toContain(`PPid:\t${process.pid}`)
    expect(lines).toContain('SigIgn:\t0000000000000000')
    expect(lines).toContain('SigBlk:\t0000000000000000')
  })
})

describe('descriptors', () => {
  // Of numbers 3 to 9 and those that the test may have placed: what it is, and what it holds.
  const REPORT = `
import json, os
def read(fd):
    try: return os.pread(fd, 99, 0).decode()
    except OSError: return os.readlink(f'/proc/self/fd/{fd}')
fds = [int(fd) for fd in os.listdir('/proc/self/fd')]
print(json.dumps({fd: read(fd) for fd in fds if fd > 2 and os.path.exists(f'/proc/self/fd/{fd}')}))
`

  async function placed(fds: Record<number, number>): Promise<unknown> {
    const cwd = temporaryDirectory()
    for (const name of ['a', 'b', 'c']) writeFileSync(join(cwd, name), name)
    const script = 'exec "$@" 3<a 4<b 5<c'
    const args = [...FIXTURE, 'place', PYTHON, REPORT, JSON.stringify(fds)]
    const outcome = await run('/bin/sh', ['-c', script, 'sh', ...args], { cwd })
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    return JSON.parse(outcome.stdout) as unknown
  }

  describe.runIf(works(PYTHON, '--version'))('are placed', () => {
    test.each<[string, Record<number, number>, Record<number, string>]>([
      ['nowhere, if none is named', {}, {}],
      ['where they are', { 3: 3, 5: 5 }, { 3: 'a', 5: 'c' }],
      ['at swapped numbers', { 3: 4, 4: 3 }, { 3: 'b', 4: 'a' }],
      ['each at the next one', { 3: 5, 4: 3, 5: 4 }, { 3: 'c', 4: 'a', 5: 'b' }],
      ['twice', { 4: 3, 200: 3 }, { 4: 'a', 200: 'a' }],
      ['at a high number', { 1023: 3, 4000: 5 }, { 1023: 'a', 4000: 'c' }],
    ])('%s', async (_where, fds, content) => {
      expect(await placed(fds)).toEqual(content)
    })

    test('at all the numbers that Node has for itself', async () => {
      const numbers = Array.from({ length: 60 }, (_, index) => index + 3)
      const fds = Object.fromEntries(numbers.map((number) => [number, 4]))
      const content = Object.fromEntries(numbers.map((number) => [number, 'b']))
      expect(await placed(fds)).toEqual(content)
    })
  })

  test('of standard streams are replaced if named', async () => {
    const cwd = temporaryDirectory()
    writeFileSync(join(cwd, 'in'), 'from a file\n')
    const options = JSON.stringify({ fds: { 0: 3, 1: 4 } })
    const args = [...FIXTURE, 'shell', 'cat; echo to stderr >&2', options]
    const script = 'exec "$@" 3<in 4>out'
    const outcome = await run('/bin/sh', ['-c', script, 'sh', ...args], { cwd })
    expect(outcome).toEqual({ code: 0, signal: null, stdout: '', stderr: 'to stderr\n' })
    const out = execFileSync('cat', ['out'], { cwd, encoding: 'utf8' })
    expect(out).toBe('from a file\n')
  })

  test('that were made to be inherited end with all others', async () => {
    expect(await outputOf('inheritable')).toBe('0\n1\n2\n')
  })

  test('that are more than the new program may have, and one beyond its limit', async () => {
    expect(await outputOf('many')).toBe('/dev/null\n/dev/null\n1024\n')
  })

  test('of a closed standard input stays closed', async () => {
    expect(await outputOf('closed input')).toBe('closed\n')
  })

  test.each(['-1', '1.5', 'x', '', '1e3', '4294967299'])('have no number %j', (number) => {
    expect(() => execve('/bin/false', [], { fds: { [number]: 0 } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    )
  })
})

describe('what Node has changed', () => {
  /** All that a program can see of how it was started, without what differs each time. */
  const LOOK = [
    ...['/bin/grep', '-hE', '^(Sig...|ShdPnd|Threads|NoNewPrivs|Cap...|Umask|flags|Max .*):?\\s'],
    ...['/proc/self/status', '/proc/self/limits'],
    ...[0, 1, 2].map((fd) => `/proc/self/fdinfo/${fd}`),
  ]

  test.each([
    ['nothing else', ':'],
    ['a soft limit of descriptors', 'ulimit -S -n 700'],
    ['a hard limit of descriptors', 'ulimit -n 900'],
    ['ignored signals', "trap '' HUP USR1 XFSZ"],
    ['an ignored SIGPIPE', "trap '' PIPE"],
  ])('is undone after a shell that set %s', async (_what, before) => {
    const pipes = (command: string): string => `true | { ${command}; } 2>&1 | cat`
    const [plain, becoming] = [LOOK, [...FIXTURE, 'changed', ...LOOK]]
    const script = `${before}\n${pipes('sh -c "$RECORD" sh "$@"')}`
    const [expected, actual] = await Promise.all(
      [plain, becoming].map(async (command) => {
        const env = { ...process.env, RECORD: `${RECORD_START_STATE}exec "$@"` }
        return await run('/bin/sh', ['-c', script, 'sh', ...command], { env })
      }),
    )
    expect(expected).toMatchObject({ code: 0, stderr: '' })
    expect(expected!.stdout).toContain('SigIgn')
    expect(actual).toEqual(expected)
  })

  test('is set as systemd sets it, where nothing is recorded', async () => {
    const status = await outputOf('program', '{}', ...LOOK)
    expect(status).toMatch(/^SigIgn:\t0{16}$/m)
    expect(status).toMatch(/^Max open files +1024 /m)
  })

  test('is set to what is given', async () => {
    const state = { softFileLimit: 77, ignoredSignals: [13, 34, 64], blockedSignals: [12, 1, 63] }
    const options = JSON.stringify({ state })
    const status = await outputOf('program', options, ...LOOK)
    expect(status).toMatch(/^Max open files +77 /m)
    expect(status).toMatch(/^SigBlk:\t4000000000000801$/m)
    expect(status).toMatch(/^SigIgn:\t8000000200001000$/m)
  })

  test('never includes a limit above the hard one', async () => {
    const options = JSON.stringify({
      state: { softFileLimit: 10_000_000_000, ignoredSignals: [], blockedSignals: [] },
    })
    const command = [...FIXTURE, 'shell', 'ulimit -S -n; ulimit -H -n', options]
    expect(await shell('ulimit -n 900', ...command)).toBe('900\n900\n')
  })

  const onTerminal = works('script', '-qec', 'true', '/dev/null')
  test.runIf(onTerminal)('of a terminal is undone', async () => {
    const look = 'stty -a; grep -h flags /proc/self/fdinfo/[012]'
    const script = async (command: string): Promise<string> => {
      const outcome = await run('script', ['-qec', command, '/dev/null'], {
        env: { ...process.env, LOOK: look, SHELL: '/bin/sh' },
      })
      expect(outcome).toMatchObject({ code: 0, stderr: '' })
      // Node opens the terminal again, with another flag that means nothing on this architecture (O_LARGEFILE).
      return outcome.stdout.replaceAll(/^flags:\t0100+/gm, 'flags:\t0')
    }
    const expected = await script('exec sh -c "$LOOK"')
    expect(expected).toContain('icanon')
    expect(await script(`exec '${FIXTURE.join("' '")}' raw /bin/sh -c "$LOOK"`)).toBe(expected)
  })
})

describe.runIf(works('setpriv', '--pdeathsig', 'HUP', 'true') && works(PYTHON, '--version'))(
  'a parent-death signal',
  () => {
    const TELL = `exec ${PYTHON} -c "
import ctypes
signal = ctypes.c_int(-1)
ctypes.CDLL(None).prctl(2, ctypes.byref(signal))
print(signal.value)"`

    async function signalAfter(name: string): Promise<string> {
      const outcome = await run('setpriv', ['--pdeathsig', 'HUP', ...FIXTURE, name, TELL])
      expect(outcome).toMatchObject({ code: 0, stderr: '' })
      return outcome.stdout.trim().split('\n').at(-1)!
    }

    test('stays', async () => {
      expect(await signalAfter('shell')).toBe('1')
    })

    test('is lost by way of a Worker', async () => {
      expect(await signalAfter('workerShell')).toBe('0')
    })
  },
)

describe('an attempt that fails', () => {
  test('changes nothing, for each reason and a hundred times', async () => {
    expect(await outputOf('failing')).toBe(
      'ENOENT,EACCES,ENOEXEC,ETXTBSY,E2BIG,EBADF,ERR_INVALID_ARG_VALUE\n',
    )
  })

  test('leaves the handlers of signals as they were, and sends none astray', async () => {
    expect(await outputOf('signals')).toBe('100\n')
  })

  test('does not keep other threads waiting that set user ids', async () => {
    expect(await outputOf('failing while ids are set')).toBe('over\n')
  })

  test('changes nothing in several threads at once', async () => {
    expect(await outputOf('failing in Workers')).toBe('as before\n')
  })

  test('says what failed', () => {
    expect(() => execve('/nonexistent', [])).toThrow(
      expect.objectContaining({
        code: 'ENOENT',
        syscall: 'execve',
        message: "ENOENT: no such file or directory, execve '/nonexistent'",
      }),
    )
  })

  test.each<[string, () => never]>([
    ['the file', () => execve('/bin/\0false', [])],
    ['an argument', () => execve('/bin/false', ['\0'])],
    ['argv0', () => execve('/bin/false', [], { argv0: 'a\0' })],
    ['a variable', () => execve('/bin/false', [], { env: { A: 'a\0b' } })],
    ['the name of a variable', () => execve('/bin/false', [], { env: { 'A\0': '' } })],
  ])('does so before, for a NUL byte in %s', (_where, attempt) => {
    expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }))
  })
})

describe.runIf(works('cc', '--version'))('an execve that takes the kernel half a second', () => {
  function slowly(name: string): ChildProcessByStdio<null, Readable, null> {
    const library = join(temporaryDirectory(), 'slow.so')
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, fixture('slow-execve.c'), '-ldl'])
    const preloaded = [process.env['LD_PRELOAD'], library].filter(Boolean).join(':')
    return spawn(process.execPath, [fixture('execve.mjs'), name], {
      env: { ...process.env, LD_PRELOAD: preloaded },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  test('loses no signal that comes meanwhile: it ends the process', async () => {
    const child = slowly('listening')
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      output += data
      if (data === 'now\n') child.kill('SIGTERM')
    })
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    expect([output, code, signal]).toEqual(['now\n', null, 'SIGTERM'])
  })

  test('and then fails leaves gone what another thread has taken away meanwhile', async () => {
    expect(await text(slowly('failing while a listener goes').stdout)).toBe('now\n0\n')
  })
})

describe.runIf(isRoot() && works('unshare', '--pid', '--fork', '--mount-proc', 'true'))(
  'PID 1 of a container',
  () => {
    test.skipIf(UNDER_SANITIZER)('becomes another program', async () => {
      const args = ['--pid', '--fork', '--mount-proc', ...FIXTURE, 'shell', 'echo $$ $PPID; exit 9']
      const outcome = await run('unshare', args)
      expect(outcome).toEqual({ code: 9, signal: null, stdout: '1 0\n', stderr: '' })
    })
  },
)
