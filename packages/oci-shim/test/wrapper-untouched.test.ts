import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { type Call, LowLevel, type Outcome, type Recorded } from './wrapper/low-level.js'

const canRun = works('cc', '--version') && works(PYTHON, '--version')
// All of it must work where nothing of sdbridge does.
const BROKEN = { node: '/nonexistent/node', sdbridge: '/nonexistent/sdbridge.js' }
const STRANGE_WORDS = ['', ' ', 'a b', '*', '$HOME', '`id`', "it's", '"', '\\', 'line\nline', 'é']

describe.skipIf(!canRun)("a call that is none of ours is the low-level runtime's", () => {
  describe.each(['runc', 'crun'] as const)('%s', (name) => {
    test.each<[situation: string, args: string[]]>([
      ['no word', []],
      ['--version', ['--version']],
      ['features', ['features']],
      ['global options', ['--root', '/r', '--log', '/l', '--log-format', 'json', 'state', 'web']],
      ['a root named create', ['--root', 'create', 'state', 'web']],
      ['a container named create', ['delete', '--force', 'create']],
      ['a container named run', ['start', 'run']],
      ['a log named restore', ['--log=restore', 'kill', 'web', 'TERM']],
      ['exec of create --bundle asks', ['exec', 'web', 'create', '--bundle', 'asks']],
      ['create with a bundle that is not there', ['create', '--bundle', 'nowhere', 'web']],
      ['create of a container that does not ask', ['create', '--bundle', 'plain', 'web']],
      ['run of one', ['run', '-b', 'plain', 'web']],
      ['restore of one', ['restore', '--bundle=plain', 'web']],
      ['create with a broken configuration', ['create', '--bundle', 'broken', 'web']],
      ['create without a bundle, here', ['create', 'web']],
      ['create with the id of one that asks', ['create', '--bundle', 'plain', 'asks']],
      ['create with a pid file named --bundle', ['create', '--pid-file', '--bundle', 'asks']],
      ['words of all kinds', ['kill', ...STRANGE_WORDS]],
      ['words of all kinds to create', ['create', '--bundle', 'plain', ...STRANGE_WORDS]],
    ])('%s', async (_, args) => {
      const runtime = withBundles(new LowLevel(name, BROKEN))
      const [direct, launched] = await both(runtime, args)
      expect(launched).toEqual(direct)
      expect(launched.recorded?.args).toEqual([runtime.path, ...args])
    })
  })

  test('its environment, but for what a shell does to it', async () => {
    const env = {
      HOME: '/nowhere',
      'a-b': 'no name for a shell',
      LISTEN_FDS: '1',
      NODE_OPTIONS: '--nonsense',
      TEXT: 'line\nline $HOME \\ " \'',
      EMPTY: '',
      sdbridge: '',
    }
    const runtime = new LowLevel('runc', BROKEN)
    const { recorded } = await runtime.call(['state'], { env })
    const { 'a-b': _lost, ...kept } = env
    const expected = { ...kept, PWD: runtime.directory }
    expect(recorded?.env.toSorted()).toEqual(
      Object.entries(expected)
        .map(([key, value]) => `${key}=${value}`)
        .toSorted(),
    )
    const direct = await runtime.callDirectly(['state'], { env: expected })
    expect(recorded?.env.toSorted()).toEqual(direct.recorded?.env.toSorted())
  })

  test.each<[situation: string, call: Call]>([
    ['descriptors', { fds: { 3: 'a', 4: 'b', 9: 'c', 10: 'd', 11: 'e', 63: 'f', 255: 'g' } }],
    ['no standard input', { closed: [0] }],
    ['no standard stream', { closed: [0, 1, 2] }],
    ['ignored signals', { ignored: [1, 2, 3, 10, 13, 15, 25, 34, 64] }],
    ['blocked signals', { blocked: [1, 2, 10, 14, 15, 17, 34, 64] }],
    [
      'limits',
      {
        limits: [
          ['RLIMIT_NOFILE', 300, 4000],
          ['RLIMIT_CORE', 0, 0],
          ['RLIMIT_STACK', 4 << 20, 16 << 20],
        ],
      },
    ],
    ['a umask', { umask: 0o77 }],
    ['a parent-death signal', { parentDeathSignal: 10 }],
    ['another working directory', { cwd: '/usr' }],
  ])('%s', async (_, call) => {
    const runtime = withBundles(new LowLevel('runc', BROKEN))
    for (const args of [
      ['state', 'web'],
      ['create', '--bundle', join(runtime.directory, 'plain'), 'web'],
    ]) {
      const [direct, launched] = await both(runtime, args, call)
      expect(launched).toEqual(direct)
    }
  })

  test('that SIGCHLD is ignored gets lost, as with every dash', async () => {
    const runtime = new LowLevel('runc', BROKEN)
    const [direct, launched] = await both(runtime, ['state'], { ignored: [17, 12] })
    expect(direct.recorded?.signals).toContainEqual(expect.stringMatching(/^SigIgn:\t0+10800$/))
    expect(launched.recorded?.signals).toContainEqual(
      expect.stringMatching(/^SigIgn:\t0+(?:10)?800$/),
    )
  })

  test('it is the same process, which ends as it ends', async () => {
    const runtime = withBundles(new LowLevel('runc', BROKEN))
    for (const verb of [['kill'], ['create', '--bundle', 'plain']]) {
      const ended = await runtime.call([...verb, 'exit:7'])
      expect(ended).toMatchObject({ code: 7, signal: null, stdout: '', stderr: '' })
      expect(ended.recorded?.pid).toBe(ended.pid)
      expect(await runtime.call([...verb, 'die:10'])).toMatchObject({
        code: null,
        signal: 'SIGUSR1',
      })
    }
  })

  test('a working directory that is gone', async () => {
    const runtime = new LowLevel('runc', BROKEN)
    const gone = join(runtime.directory, 'gone')
    const script = 'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"'
    const program = ['/bin/sh', '-c', script, 'sh', gone, runtime.launcher]
    const { recorded } = await runtime.callBy(program, ['delete', 'web'])
    expect(recorded).toMatchObject({ args: [runtime.path, 'delete', 'web'], cwd: '' })
  })

  test('without grep nobody can ask, and containers are made', async () => {
    const runtime = withBundles(new LowLevel('runc', { ...BROKEN, grep: '/nonexistent/grep' }))
    const { code, recorded } = await runtime.call(['create', '--bundle', 'asks', 'web'])
    expect(code).toBe(0)
    expect(recorded?.args.slice(1)).toEqual(['create', '--bundle', 'asks', 'web'])
  })

  const shells = [['/usr/bin/bash', '--posix'], ['/usr/bin/busybox', 'sh'], ['/usr/bin/dash']]
  test.each(
    shells.filter(([file]) => existsSync(file!)).map((words) => [words.join(' '), words] as const),
  )('%s as /bin/sh', async (_, words) => {
    const runtime = withBundles(new LowLevel('runc', BROKEN))
    const how = {
      env: { PATH: '/bin', TEXT: 'line\nline' },
      fds: { 3: 'a', 10: 'b', 255: 'c' },
      ignored: [2, 3, 13, 15],
      blocked: [10, 12],
    }
    for (const args of [
      ['kill', ...STRANGE_WORDS],
      ['create', '--bundle', 'plain', 'a b'],
    ]) {
      const direct = await runtime.callDirectly(args, how)
      const launched = await runtime.callBy([...words, runtime.launcher], args, how)
      expect(comparable(launched, NEW_WITH_SHELLS)).toEqual(comparable(direct, NEW_WITH_SHELLS))
    }
  })
})

const NEW_WITH_SHELLS = ['PWD', 'OLDPWD', 'SHLVL', '_']

async function both(runtime: LowLevel, args: string[], call?: Call): Promise<[Outcome, Outcome]> {
  const direct = comparable(await runtime.callDirectly(args, call), ['PWD'])
  return [direct, comparable(await runtime.call(args, call), ['PWD'])]
}

/** Without what is another's of each process, and these variables. */
function comparable({ recorded, ...outcome }: Outcome, without: string[]): Outcome {
  if (recorded === undefined) throw new Error(`nothing recorded: ${outcome.stderr}`)
  const env = recorded.env.filter((each) => !without.includes(each.replace(/=.*$/s, ''))).toSorted()
  return { ...outcome, pid: 0, recorded: { ...recorded, env, pid: 0 } satisfies Recorded }
}

function withBundles(runtime: LowLevel): LowLevel {
  runtime.bundle('plain', { process: { env: ['PATH=/bin'] }, annotations: { 'io.other': '1' } })
  runtime.bundle('broken', '{ "process": ')
  runtime.bundle('asks', { annotations: { 'io.sdbridge.descriptors': 'something' } })
  return runtime
}
