import { chmodSync, chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { Bridge } from './wrapper/bridge.js'
import { type Call, LowLevel, type Outcome } from './wrapper/low-level.js'

const canRun = works('cc', '--version') && works(PYTHON, '--version')

describe.skipIf(!canRun)('a container that asks for descriptors', () => {
  test.each(['runc', 'crun'] as const)('%s has them from 3 on, in order', async (name) => {
    const { recorded, code, runtime } = await create({ names: ['web', 'admin', 'web'], name })
    expect(code).toBe(0)
    expect(namesOf(recorded?.fds)).toEqual({ 3: 'web', 4: 'admin', 5: 'web' })
    expect(recorded?.env).toContain('LISTEN_FDS=3')
    expect(recorded?.env).toContain(`LISTEN_PID=${recorded?.pid}`)
    expect(recorded?.args).toEqual([runtime.path, 'create', '--bundle', 'asks', 'web'])
  })

  test('its configuration tells the payload', async () => {
    const { runtime } = await create({ names: ['web', 'admin'], by: 'variable' })
    expect(environmentIn(runtime)).toEqual([
      'PATH=/bin',
      'TERM=xterm',
      'LISTEN_FDS=2',
      'LISTEN_PID=1',
      'LISTEN_FDNAMES=web:admin',
    ])
  })

  test('what the image says of descriptors is replaced', async () => {
    const env = ['LISTEN_FDS=7', 'LISTEN_PID=3', 'LISTEN_FDNAMES=x', 'LISTEN_PIDFDID=5', 'A=1']
    const { runtime } = await create({ names: ['web'], env })
    expect(environmentIn(runtime)).toEqual([
      'A=1',
      'LISTEN_FDS=1',
      'LISTEN_PID=1',
      'LISTEN_FDNAMES=web',
    ])
  })

  test('no descriptors are none', async () => {
    const { recorded, runtime } = await create({ names: [], env: ['LISTEN_FDS=7', 'A=1'] })
    expect(recorded?.fds).not.toHaveProperty('3')
    expect(recorded?.env.some((each) => each.startsWith('LISTEN_'))).toBe(false)
    expect(environmentIn(runtime)).toEqual(['A=1'])
  })

  test('more than fit into one message', async () => {
    const names = Array.from({ length: 600 }, (_, index) => `n${index}`)
    const { recorded } = await create({ names })
    const expected = names.map((name, index) => [String(3 + index), name])
    expect(namesOf(recorded?.fds)).toEqual(Object.fromEntries(expected))
    expect(recorded?.env).toContain('LISTEN_FDS=600')
  })

  test('those of --preserve-fds come behind', async () => {
    const fds = { 3: 'first', 4: 'second', 9: 'nobody’s' }
    const { recorded } = await create(
      { names: ['web', 'admin'], options: ['--preserve-fds', '2'] },
      { fds },
    )
    expect(namesOf(recorded?.fds)).toEqual({
      3: 'web',
      4: 'admin',
      5: 'first',
      6: 'second',
      9: 'nobody’s',
    })
  })

  test('one in their way that nobody means is left out', async () => {
    const { recorded } = await create(
      { names: ['web', 'admin'], options: ['--preserve-fds=1'] },
      { fds: { 3: 'kept', 4: 'slipped', 5: 'slipped', 6: 'stays' } },
    )
    expect(namesOf(recorded?.fds)).toEqual({ 3: 'web', 4: 'admin', 5: 'kept', 6: 'stays' })
  })

  test('one in their way that the command line names is refused', async () => {
    const options = ['--console-socket', '/proc/self/fd/4']
    const outcome = await create({ names: ['web', 'admin'], options }, { fds: { 4: 'console' } })
    expect(outcome.recorded).toBeUndefined()
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toMatch(
      /2 descriptor\(s\) of the unit, found \/fd\/4 on the command line/,
    )
    const { recorded } = await create({ names: ['web'], options }, { fds: { 4: 'console' } })
    expect(namesOf(recorded?.fds)).toEqual({ 3: 'web', 4: 'console' })
  })

  test('what is inherited behind them stays', async () => {
    const { recorded } = await create(
      { names: ['web'] },
      { fds: { 4: 'a', 5: 'epoll', 10: 'b', 255: 'c' } },
    )
    const expected = { 3: 'web', 4: 'a', 5: '2 anon_inode:[eventpoll]', 10: 'b', 255: 'c' }
    expect(namesOf(recorded?.fds)).toEqual(expected)
  })

  test.each<[situation: string, call: Call]>([
    ['ignored signals', { ignored: [1, 2, 3, 10, 13, 15, 25, 34, 64] }],
    ['blocked signals', { blocked: [1, 2, 10, 14, 15, 34, 64] }],
    [
      'limits',
      {
        limits: [
          ['RLIMIT_NOFILE', 300, 4000],
          ['RLIMIT_CORE', 0, 0],
        ],
      },
    ],
    ['a umask', { umask: 0o77 }],
    ['a parent-death signal', { parentDeathSignal: 10 }],
    [
      'variables',
      {
        env: {
          NODE_OPTIONS: '--no-such-option',
          A: 'line\nline',
          LISTEN_FDS: '4',
          LISTEN_PID: '1',
        },
      },
    ],
    ['no standard output', { closed: [1] }],
  ])('%s of the caller are the runtime’s', async (_, call) => {
    const { recorded, runtime, code, args } = await create({ names: ['web'] }, call)
    expect(code).toBe(0)
    const direct = (await runtime.callDirectly(args, call)).recorded!
    for (const key of ['signals', 'limits', 'others', 'cwd'] as const)
      expect(recorded?.[key]).toEqual(direct[key])
    const isOurs = (each: string): boolean => /^(?:PWD|LISTEN_FDS|LISTEN_PID)=/.test(each)
    const kept = recorded?.env.filter((each) => !isOurs(each)).toSorted()
    expect(kept).toEqual(direct.env.filter((each) => !isOurs(each)).toSorted())
    expect(namesOf(recorded?.fds)).toEqual({ 3: 'web' })
  })

  test('it is the same process, which ends as it ends', async () => {
    const outcome = await create({ names: ['web'], container: 'exit:7' })
    expect(outcome).toMatchObject({ code: 7, stdout: '', stderr: '' })
    expect(outcome.recorded?.pid).toBe(outcome.pid)
    expect(await create({ names: ['web'], container: 'die:10' })).toMatchObject({
      signal: 'SIGUSR1',
    })
  })

  test('all else in the configuration stays, and so does whose it is', async () => {
    const text = `{"ociVersion":"1.2","x-other":[1e400,12345678901234567890,0.10],"process":{"env":["A=é"],"cwd":"/","n":-0},
      "annotations":{"io.sdbridge.descriptors":"REQUEST","a":"\\u0000"}}`
    const runtime = new LowLevel()
    const bridge = new Bridge(['web'])
    const file = join(
      runtime.bundle('asks', text.replace('REQUEST', bridge.request)),
      'config.json',
    )
    chmodSync(file, 0o640)
    if (isRoot()) chownSync(file, 12, 34)
    const before = statSync(file)
    await runtime.call(['create', '--bundle', 'asks', 'web'])
    const after = statSync(file)
    expect([after.uid, after.gid, after.mode]).toEqual([before.uid, before.gid, before.mode])
    // As a whole: it is another file, and nothing lies beside it.
    expect(after.ino).not.toBe(before.ino)
    expect(readdirSync(join(runtime.directory, 'asks'))).toEqual(['config.json'])
    const edited = readFileSync(file, 'utf8')
    for (const part of ['"x-other":[1e400,12345678901234567890,0.10]', '"n":-0', '"a":"\\u0000"'])
      expect(edited.replaceAll(/\s/g, '')).toContain(part)
    expect(edited).toContain('A=é')
  })

  test('asked twice, it is told as once', async () => {
    const first = await create({ names: ['web', 'admin'] })
    const once = environmentIn(first.runtime)
    const bridge = new Bridge(['web', 'admin'])
    const file = join(first.runtime.directory, 'asks/config.json')
    const config = JSON.parse(readFileSync(file, 'utf8'))
    config.annotations['io.sdbridge.descriptors'] = bridge.request
    writeFileSync(file, JSON.stringify(config))
    const { code } = await first.runtime.call(first.args)
    expect(code).toBe(0)
    expect(environmentIn(first.runtime)).toEqual(once)
  })

  test('the bridge gives them once', async () => {
    const { runtime, bridge, args } = await create({ names: ['web'] })
    expect(bridge.handedOver).toBe(1)
    expect(await runtime.call(args)).toMatchObject({ code: 1, recorded: undefined })
    expect(bridge.handedOver).toBe(1)
  })

  test('a configuration that only mentions them is none that asks', async () => {
    const runtime = new LowLevel()
    const config = { process: { env: ['A=SDBRIDGE_DESCRIPTORS=x'] }, x: 'io.sdbridge.descriptors' }
    const file = join(runtime.bundle('asks', config), 'config.json')
    const { recorded } = await runtime.call(['create', '-b', 'asks', 'web'], { fds: { 3: 'a' } })
    expect(namesOf(recorded?.fds)).toEqual({ 3: 'a' })
    expect(recorded?.env.some((each) => each.startsWith('LISTEN_'))).toBe(false)
    expect(readFileSync(file, 'utf8')).toBe(JSON.stringify(config))
  })
})

interface Asking {
  names: string[]
  name?: 'runc' | 'crun'
  by?: 'annotation' | 'variable'
  env?: string[]
  options?: string[]
  container?: string
}

async function create(
  {
    names,
    name = 'runc',
    by = 'annotation',
    env = ['PATH=/bin', 'TERM=xterm'],
    options = [],
    container = 'web',
  }: Asking,
  call?: Call,
): Promise<Outcome & { runtime: LowLevel; bridge: Bridge; args: string[] }> {
  const runtime = new LowLevel(name)
  const bridge = new Bridge(names)
  const isVariable = by === 'variable'
  runtime.bundle('asks', {
    process: {
      env: isVariable ? [env[0], `SDBRIDGE_DESCRIPTORS=${bridge.request}`, ...env.slice(1)] : env,
    },
    annotations: isVariable ? {} : { 'io.sdbridge.descriptors': bridge.request },
  })
  const args = ['create', ...options, '--bundle', 'asks', container]
  return { ...(await runtime.call(args, call)), runtime, bridge, args }
}

/** Of the files, by number: all but the standard streams. */
function namesOf(fds: Record<number, string> = {}): Record<string, string> {
  const files = Object.entries(fds).filter(([fd]) => Number(fd) > 2)
  return Object.fromEntries(files.map(([fd, each]) => [fd, basename(each)]))
}

function environmentIn({ directory }: LowLevel): string[] {
  return JSON.parse(readFileSync(join(directory, 'asks/config.json'), 'utf8')).process.env
}
