import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test, vi } from 'vitest'
import { closeFd, type Connection, connectSocket } from '@sdbridge/syscalls'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'
import { askForDescriptors } from '../dist/broker/ask-for-descriptors.js'
import { isAllowed } from '../dist/broker/asker.js'
import { asker } from './wrapper/asker.js'
import { Bridge } from './wrapper/bridge.js'

const UID = process.geteuid!()
const WAIT = { timeout: 20_000 }

describe('a process may ask by its cgroups', () => {
  const rule = {
    unitCgroup: '/system.slice/web.service',
    engineUnits: ['docker.service', 'containerd.service'],
  }
  test.each<[cgroups: string[], isAllowed: boolean]>([
    [['/system.slice/docker.service'], true],
    [['/system.slice/containerd.service'], true],
    [['/engines.slice/docker.service'], true],
    [['/system.slice/web.service'], true],
    [['/system.slice/web.service/sdbridge'], true],
    [['/system.slice/docker.service', '/'], true],
    [['/system.slice/docker.service', '/system.slice/docker.service'], true],
    [['/system.slice/docker.service/0123'], false],
    [['/system.slice/docker.service/sdbridge'], false],
    [['/system.slice/web.service/0123'], false],
    [['/system.slice/web.service/sdbridge/0123'], false],
    [['/docker/0123'], false],
    [['/docker/docker.service'], false],
    [['/system.slice/docker-0123.scope'], false],
    [['/system.slice/docker.service', '/docker/0123'], false],
    [['/docker/0123', '/system.slice/docker.service'], false],
    [['/user.slice/user-4711.slice/user@4711.service/app.slice/docker.service'], false],
    [['/system.slice/other.service'], false],
    [['/'], false],
    [[], false],
  ])('%j: %s', (cgroups, expected) => {
    expect(isAllowed(cgroups, rule)).toBe(expected)
  })

  test('of a unit of the user', () => {
    const cgroup = `/user.slice/user-${UID}.slice/user@${UID}.service/app.slice/docker.service`
    expect(isAllowed([cgroup], rule)).toBe(true)
  })

  test('of nothing, where the unit has none', () => {
    expect(isAllowed(['/'], { unitCgroup: undefined, engineUnits: [] })).toBe(false)
  })
})

describe('the broker of a unit’s descriptors', () => {
  test('hands them over, with their names', async () => {
    const bridge = new Bridge(['a', 'b'])
    const { fds, names } = await askForDescriptors(bridge)
    for (const fd of fds) closeFd(fd)
    expect([fds.length, names]).toEqual([2, ['a', 'b']])
    expect(bridge).toMatchObject({ handedOver: 1, refusals: [] })
  })

  test('of many that ask at once, one has them', async () => {
    const bridge = new Bridge(['a'])
    const answers = await Promise.allSettled(
      Array.from({ length: 12 }, () => askForDescriptors(bridge)),
    )
    const got = answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    for (const { fds } of got) for (const fd of fds) closeFd(fd)
    expect(got).toHaveLength(1)
    expect(bridge.handedOver).toBe(1)
  })

  test.each([
    ['nonsense', 'expected JSON'],
    ['{"version":1}', 'expected an id'],
    ['{"version":3,"id":"x"}', 'version 1, found 3'],
    ['[]', 'expected an object'],
    ['', 'expected JSON'],
    ['x'.repeat(5000), 'expected JSON'],
  ])('%s is no question', async (question, reason) => {
    const bridge = new Bridge(['a'])
    const answer = await ask(bridge, question)
    expect(answer).toContain(reason)
    expect(bridge).toMatchObject({ handedOver: 0, refusals: [expect.stringContaining(reason)] })
    await askForDescriptors(bridge).then(({ fds }) => fds.map(closeFd))
    expect(bridge.handedOver).toBe(1)
  })

  test('descriptors that come with a question are closed', async () => {
    const bridge = new Bridge(['a'])
    const pipe = new TestPipe()
    await ask(bridge, '{}', [pipe.writeFd])
    pipe.closeWrite()
    await vi.waitFor(() => expect(readFileSync(pipe.readFd, 'utf8')).toBe(''), WAIT)
  })

  test('one that says nothing does not keep others from it', async () => {
    const bridge = new Bridge(['a'])
    const silent = await Promise.all(Array.from({ length: 10 }, () => open(bridge)))
    const { fds } = await askForDescriptors(bridge)
    for (const fd of fds) closeFd(fd)
    expect(bridge.handedOver).toBe(1)
    for (const each of silent) each.close()
  })

  test('those that may not ask take no room, however many they are', async () => {
    const bridge = new Bridge(['a'], { rule: { unitCgroup: '/other', engineUnits: [] } })
    const connections = await Promise.all(Array.from({ length: 40 }, () => open(bridge)))
    await vi.waitFor(() => expect(bridge.refusals.length).toBe(21), WAIT)
    expect(bridge.refusals.at(-1)).toBe('more of them are not told of')
    const reason = /is in the cgroup .*: expected that of \/other/
    await expect(askForDescriptors(bridge)).rejects.toThrow(reason)
    for (const each of connections) each.close()
    expect(bridge.handedOver).toBe(0)
  })

  describe.skipIf(!isRoot() || !works(PYTHON, '--version') || !works('unshare', '--version'))(
    'refuses',
    () => {
      test.each([
        [
          'another user',
          ['setpriv', '--reuid=12345', '--clear-groups'],
          'is of another user, 12345',
        ],
        [
          'a user namespace',
          ['unshare', '--user', '--map-root-user'],
          'is in another user namespace',
        ],
        ['a pid namespace', ['unshare', '--pid', '--fork'], 'is in another pid namespace'],
      ])('%s, though it knows the id', async (_, prefix, reason) => {
        const bridge = new Bridge(['a'])
        openToAll(bridge.path)
        const answer = await askBy(prefix, bridge)
        expect(answer).toContain(reason)
        expect(bridge).toMatchObject({ handedOver: 0, refusals: [expect.stringContaining(reason)] })
      })

      test('nobody that is of this host and of the unit', async () => {
        const bridge = new Bridge(['a'])
        expect(await askBy([], bridge)).toContain('names')
        expect(bridge.handedOver).toBe(1)
      })

      test('one that has ended, and left its connection to another', async () => {
        const bridge = new Bridge(['a'])
        const output = join(dirname(bridge.path), 'answer')
        // Within one call, so that the bridge cannot look at it sooner.
        const left = `if os.fork(): os._exit(0)\nsys.stdout = open(${JSON.stringify(output)}, "w")\n`
        spawnSync(PYTHON, ['-ISc', asker(left), bridge.path, bridge.id], { stdio: 'ignore' })
        await vi.waitFor(
          () => expect(readFileSync(output, 'utf8')).toMatch(/cannot be examined|has ended/),
          WAIT,
        )
        expect(bridge).toMatchObject({ handedOver: 0, refusals: [expect.anything()] })
      })
    },
  )
})

async function askBy(prefix: string[], { path, id }: Bridge): Promise<string> {
  const [file, ...args] = [...prefix, PYTHON, '-ISc', asker(), path, id] as const
  return await text(spawn(file!, args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout!)
}

function open({ path }: Bridge): Promise<Connection> {
  return connectSocket({ type: 'seqpacket', address: { family: 'unix', path } })
}

/** What a bridge answers to a packet. */
async function ask(bridge: Bridge, question: string, fds: number[] = []): Promise<string> {
  const connection = await open(bridge)
  try {
    return await new Promise<string>((resolve, reject) => {
      connection.receive({
        onMessages: ([message]) => resolve(message!.data.toString()),
        onEnd: () => reject(new Error('no answer')),
        onError: reject,
      })
      connection.trySend(Buffer.from(question), { fds })
    })
  } finally {
    connection.close()
  }
}

function openToAll(path: string): void {
  chmodSync(dirname(path), 0o755)
  chmodSync(path, 0o666)
}
