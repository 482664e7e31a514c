import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bindSocket, type Connection, ConnectionListener } from '@sdbridge/syscalls'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { Bridge } from './wrapper/bridge.js'
import { LowLevel, type Outcome } from './wrapper/low-level.js'

const canRun = works('cc', '--version') && works(PYTHON, '--version')
const FOREIGN = `import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen()
print(flush=True)
connection, _ = listener.accept()
socket.send_fds(connection, [b'{"version":1,"names":["a"]}'], [0])
connection.recv(100)
`
const ID = '0123456789abcdef0123456789abcdef'

describe.skipIf(!canRun)('a container that asks and cannot have them is not made', () => {
  test('the reason is where the engine looks, in the format that it wants', async () => {
    const runtime = asking(`${ID}@/nonexistent/descriptors.sock`)
    const outcome = await create(runtime, ['--log', 'log.json', '--log-format', 'json'])
    expectFailure(outcome)
    const log = JSON.parse(readFileSync(join(runtime.directory, 'log.json'), 'utf8'))
    expect(log).toEqual({
      level: 'error',
      msg: expect.stringMatching(/^sdbridge: expected the bridge .* at \/nonexistent\/.*ENOENT/),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    })
    expect(outcome.stderr).toContain(log.msg)
    expect(outcome.stderr.split('\n')).toHaveLength(2)
  })

  test.each([
    ['as text', 'runc', 'log.txt'],
    ['as text, of crun by its way of naming files', 'crun', 'file:log.txt'],
  ] as const)('%s', async (_, name, log) => {
    const runtime = asking(`${ID}@/nonexistent/descriptors.sock`, name)
    expectFailure(await create(runtime, [`--log=${log}`]))
    const line = readFileSync(join(runtime.directory, 'log.txt'), 'utf8')
    expect(line).toMatch(/^time="\S+Z" level=error msg="sdbridge: expected .*"\n$/)
  })

  test('a log that cannot be written does not hide it', async () => {
    const runtime = asking(`${ID}@/nonexistent/descriptors.sock`)
    const outcome = await create(runtime, ['--log', '/nonexistent/log'])
    expectFailure(outcome)
    expect(outcome.stderr).toContain('found nobody')
  })

  test.each([
    ['', /annotation io\.sdbridge\.descriptors: expected an id and the path .* found \\"/],
    ['nonsense', /found \\"nonsense/],
    [`${ID}@relative`, /expected an id and the path/],
    [`${ID.toUpperCase()}@/run/x`, /expected an id and the path/],
  ])('%j is no request', async (request, message) => {
    const outcome = await create(asking(request))
    expectFailure(outcome)
    expect(outcome.stderr).toMatch(message)
  })

  test('another start', async () => {
    const bridge = new Bridge(['web'])
    const outcome = await create(asking(`${ID}@${bridge.path}`))
    expectFailure(outcome)
    expect(outcome.stderr).toContain('its id is that of another start')
    expect(bridge).toMatchObject({ handedOver: 0, refusals: ['its id is that of another start'] })
  })

  test('a process that may not ask', async () => {
    const rule = { unitCgroup: '/system.slice/other.service', engineUnits: ['docker.service'] }
    const bridge = new Bridge(['web'], { rule })
    const outcome = await create(asking(bridge.request))
    expectFailure(outcome)
    const reason =
      /is in the cgroup .*: expected that of \/system\.slice\/other\.service, docker\.service/
    expect(outcome.stderr).toMatch(reason)
    expect(bridge).toMatchObject({ handedOver: 0, refusals: [expect.stringMatching(reason)] })
  })

  test('the bridge has gone', async () => {
    const bridge = new Bridge(['web'])
    bridge.broker.close()
    const outcome = await create(asking(bridge.request))
    expectFailure(outcome)
    expect(outcome.stderr).toMatch(
      /found nobody .*ECONNREFUSED.*: start the unit, and not its container/,
    )
  })

  test('the bridge goes in the middle', async () => {
    const path = listen((connection) => connection.close())
    const outcome = await create(asking(`${ID}@${path}`))
    expectFailure(outcome)
    expect(outcome.stderr).toMatch(/it has gone in the middle of its answer|ECONNRESET/)
  })

  test('the bridge hangs', { timeout: 60_000 }, async () => {
    const connections: Connection[] = []
    const path = listen((connection) => connections.push(connection))
    const outcome = await create(asking(`${ID}@${path}`))
    for (const each of connections) each.close()
    expectFailure(outcome)
    expect(outcome.stderr).toContain('no answer in 10 s')
  })

  test.each([
    ['{}', 'expected version 1'],
    ['nonsense', 'expected JSON'],
    ['{"version":1}', 'expected names'],
    ['{"version":2,"names":[]}', 'expected version 1, found 2'],
    ['{"version":1,"error":"because"}', 'no descriptors: because'],
  ])('the bridge answers %s', async (answer, message) => {
    const path = listen((connection) => {
      connection.trySend(Buffer.from(answer))
      connection.close()
    })
    const outcome = await create(asking(`${ID}@${path}`))
    expectFailure(outcome)
    expect(outcome.stderr).toContain(message)
  })

  test('the bridge sends more than it has names for', async () => {
    const path = listen((connection) => {
      connection.trySend(Buffer.from('{"version":1,"names":["a"]}'), { fds: [0, 1] })
      connection.close()
    })
    const outcome = await create(asking(`${ID}@${path}`))
    expectFailure(outcome)
    expect(outcome.stderr).toContain('2 descriptors for 1 names')
  })

  test.skipIf(!isRoot())('a bridge of somebody else, who could give it anything', async () => {
    const directory = temporaryDirectory()
    chmodSync(directory, 0o777)
    const path = join(directory, 'descriptors.sock')
    const words = ['--reuid=12345', '--clear-groups', PYTHON, '-ISc', FOREIGN, path]
    const foreign = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void foreign.kill())
    await once(foreign.stdout, 'data')
    const outcome = await create(asking(`${ID}@${path}`))
    expectFailure(outcome)
    expect(outcome.stderr).toMatch(
      /whoever is at .* is none: process \d+ is of another user, 12345/,
    )
  })

  test('sockets from two sides', async () => {
    const bridge = new Bridge(['web'])
    const runtime = asking(bridge.request)
    const script = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
    const outcome = await runtime.callBy(
      ['/bin/sh', '-c', script, 'sh', runtime.launcher],
      [...['create', '--bundle', 'asks', 'web']],
    )
    expectFailure(outcome)
    expect(outcome.stderr).toContain('found LISTEN_FDS as well')
    expect(bridge.handedOver).toBe(0)
  })

  test('a container that is restored', async () => {
    const bridge = new Bridge(['web'])
    const outcome = await asking(bridge.request).call(['restore', '--bundle', 'asks', 'web'])
    expectFailure(outcome)
    expect(outcome.stderr).toContain('has the sockets of its checkpoint')
    expect(bridge.handedOver).toBe(0)
  })

  test('without the low-level runtime', async () => {
    const bridge = new Bridge(['web'])
    const runtime = new LowLevel('runc', { lowLevel: '/nonexistent/runc' })
    runtime.bundle('asks', { annotations: { 'io.sdbridge.descriptors': bridge.request } })
    const outcome = await create(runtime)
    expectFailure(outcome)
    expect(outcome.stderr).toMatch(/execve.*ENOENT|ENOENT.*execve/)
  })
})

function asking(request: string, name?: 'runc' | 'crun'): LowLevel {
  const runtime = new LowLevel(name)
  runtime.bundle('asks', { annotations: { 'io.sdbridge.descriptors': request } })
  return runtime
}

function create(runtime: LowLevel, globals: string[] = []): Promise<Outcome> {
  return runtime.call([...globals, 'create', '--bundle', 'asks', 'web'])
}

function expectFailure({ code, recorded, stderr }: Outcome): void {
  expect(recorded).toBeUndefined()
  expect(stderr).toMatch(/^time="\S+Z" level=error msg="sdbridge: .*"\n$/)
  expect(code).toBe(1)
}

/** In place of a bridge. */
function listen(onConnection: (connection: Connection) => void): string {
  const path = join(new LowLevel().directory, 'descriptors.sock')
  const fd = bindSocket({ type: 'seqpacket', address: { family: 'unix', path }, backlog: 4 })
  const onError = (error: Error): never => {
    throw error
  }
  const listener = new ConnectionListener(fd, { onConnection, onError })
  onTestFinished(() => listener.close())
  return path
}
