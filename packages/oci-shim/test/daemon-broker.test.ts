import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import {
  bindSocket,
  closeFd,
  type Connection,
  connectSocket,
  getFileLimit,
} from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { TestPipe } from '../../../test/support/test-pipe.js'
import { askForDescriptors } from '../src/broker/ask-for-descriptors.js'
import { MOST_IN_DEPOSIT } from '../src/broker/broker-message.js'
import { depositDescriptors } from '../src/broker/deposit-descriptors.js'
import { cgroupsOf } from '../src/cgroups/process-cgroups.js'
import { callerOf } from '../src/daemon/caller.js'
import { DescriptorDeposits } from '../src/daemon/descriptor-deposits.js'
import { asker } from './wrapper/asker.js'
import { openFds, untilOpen } from './proxy/open-fds.js'

const WAIT = { timeout: 20_000 }

/** The daemon's place for descriptors, for one test: whoever is in this process' cgroup is of web.service, which has the container web. */
class Deposits {
  readonly path = join(temporaryDirectory(), 'descriptors.sock')
  readonly refusals: string[] = []
  readonly registered = new Map([['web', 'web.service']])
  readonly deposits: DescriptorDeposits

  constructor({
    judge,
    cgroup = cgroupsOf('self')[0],
  }: { judge?: typeof callerOf; cgroup?: string | undefined } = {}) {
    this.deposits = new DescriptorDeposits({
      fd: bindSocket({ type: 'seqpacket', address: { family: 'unix', path: this.path } }),
      judge: judge ?? (({ peer }) => ({ pid: peer.pid, unit: 'web.service' })),
      groupOf: () => cgroup,
      unitOf: (name) => this.registered.get(name),
      onRefused: (reason) => this.refusals.push(reason),
    })
    onTestFinished(() => this.deposits.close())
  }

  /** Deposits files with these contents. @returns What a runtime asks with. */
  async put(
    names: readonly string[],
    { deposit = 'web', engineUnits = [] as string[] } = {},
  ): Promise<{ id: string; path: string }> {
    const directory = temporaryDirectory()
    const fds = names.map((name, index) => {
      const file = join(directory, String(index))
      writeFileSync(file, name)
      return openSync(file, 'r')
    })
    const id = newId()
    try {
      await depositDescriptors(this.path, { fds, names }, { id, deposit, engineUnits })
    } finally {
      for (const fd of fds) closeFd(fd)
    }
    return { id, path: this.path }
  }

  async open(): Promise<Connection> {
    const address = { family: 'unix', path: this.path } as const
    const connection = await connectSocket({ type: 'seqpacket', address })
    onTestFinished(() => connection.close())
    return connection
  }

  /** What is answered to these packets. */
  async say(packets: readonly (string | object)[], fds: readonly number[] = []): Promise<string> {
    const connection = await this.open()
    return await new Promise<string>((resolve, reject) => {
      connection.receive({
        onMessages: ([message]) => resolve(message!.data.toString()),
        onEnd: () => reject(new Error('no answer')),
        onError: reject,
      })
      for (const packet of packets) {
        const data = typeof packet === 'string' ? packet : JSON.stringify(packet)
        connection.trySend(Buffer.from(data), { fds })
      }
    })
  }
}

function newId(): string {
  return randomBytes(16).toString('hex')
}

function contentsOf(fds: readonly number[]): string[] {
  return fds.map((fd) => {
    const content = readFileSync(`/proc/self/fd/${fd}`, 'utf8')
    closeFd(fd)
    return content
  })
}

/** A deposit as a client of this version sends it. */
function depositOf(changes: object = {}): object {
  return { version: 1, id: newId(), deposit: 'web', names: ['a'], engineUnits: [], ...changes }
}

describe('the daemon has descriptors for a runtime', () => {
  test('which asks as it asks a bridge, and has them once', async () => {
    const deposits = new Deposits()
    const request = await deposits.put(['a', 'b'])
    expect(deposits.deposits.size).toBe(2)
    const { fds, names } = await askForDescriptors(request)
    expect([contentsOf(fds), names]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
    expect(deposits.deposits.size).toBe(0)
    await expect(askForDescriptors(request)).rejects.toThrow(
      /there are none for this start: .*start the unit anew/,
    )
  })

  test('more of them than go into one packet', async () => {
    const deposits = new Deposits()
    const names = Array.from({ length: 300 }, (_, index) => `n${index}`)
    const { fds } = await askForDescriptors(await deposits.put(names))
    expect(contentsOf(fds)).toEqual(names)
  })

  test('of many that ask at once, one has them', async () => {
    const deposits = new Deposits()
    const request = await deposits.put(['a'])
    const asked = Array.from({ length: 12 }, () => askForDescriptors(request))
    const answers = await Promise.allSettled(asked)
    const got = answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect(got.map(({ fds }) => contentsOf(fds))).toEqual([['a']])
  })

  test('those of a start before are gone with the next', async () => {
    const deposits = new Deposits()
    const first = await deposits.put(['first', 'one more'])
    const second = await deposits.put(['second'])
    expect(deposits.deposits.size).toBe(1)
    await expect(askForDescriptors(first)).rejects.toThrow('there are none for this start')
    expect(contentsOf((await askForDescriptors(second)).fds)).toEqual(['second'])
  })

  test('those of several containers are told from one another', async () => {
    const deposits = new Deposits()
    deposits.registered.set('other', 'web.service')
    const first = await deposits.put(['first'])
    const other = await deposits.put(['other'], { deposit: 'other' })
    expect(contentsOf((await askForDescriptors(other)).fds)).toEqual(['other'])
    expect(contentsOf((await askForDescriptors(first)).fds)).toEqual(['first'])
  })

  test('none when its container has ended, nor when the daemon has', async () => {
    const deposits = new Deposits()
    const pipe = new TestPipe()
    const facts = { id: newId(), deposit: 'web', engineUnits: [] }
    await depositDescriptors(deposits.path, { fds: [pipe.writeFd], names: ['pipe'] }, facts)
    pipe.closeWrite()
    deposits.deposits.drop('web')
    await vi.waitFor(() => expect(readFileSync(pipe.readFd, 'utf8')).toBe(''), WAIT)
    await expect(askForDescriptors({ id: facts.id, path: deposits.path })).rejects.toThrow(
      'there are none for this start',
    )
    deposits.deposits.close()
    await expect(askForDescriptors({ id: facts.id, path: deposits.path })).rejects.toThrow(
      'found nobody',
    )
  })
})

describe('the daemon does not take', () => {
  test('the descriptors of a container that is not registered', async () => {
    const deposits = new Deposits()
    await expect(deposits.put(['a'], { deposit: 'nobody' })).rejects.toThrow(
      "sdbridge daemon does not take the unit's descriptors: web.service has no container nobody registered",
    )
  })

  test('those for the container of another unit', async () => {
    const deposits = new Deposits()
    deposits.registered.set('db', 'db.service')
    await expect(deposits.put(['a'], { deposit: 'db' })).rejects.toThrow(
      'web.service has no container db registered',
    )
  })

  test('those of an engine, or of a session', async () => {
    const deposits = new Deposits({ judge: ({ peer }) => ({ pid: peer.pid, unit: undefined }) })
    await expect(deposits.put(['a'])).rejects.toThrow('is of no unit')
  })

  test.each<[what: string, packet: string | object, reason: string]>([
    ['nonsense', 'nonsense', 'expected JSON'],
    ['nothing', '', 'expected JSON'],
    ['another version', depositOf({ version: 2 }), 'version 1, found 2'],
    ['a deposit without an id', depositOf({ id: 'x' }), 'expected an id'],
    ['a path for a name', depositOf({ deposit: '../web' }), 'the name of a container'],
    ['a number for a name', depositOf({ deposit: 7 }), 'the name of a container'],
    ['no names', depositOf({ names: [] }), 'names of descriptors'],
    ['names that are none', depositOf({ names: [7] }), 'names of descriptors'],
    ['two names in one', depositOf({ names: ['a:b'] }), 'names of descriptors'],
    ['a line break in a name', depositOf({ names: ['a\nb'] }), 'names of descriptors'],
    [
      'too many names',
      depositOf({ names: Array.from({ length: MOST_IN_DEPOSIT + 1 }, () => 'a') }),
      'names of descriptors',
    ],
    ['units that are none', depositOf({ engineUnits: ['a/b'] }), 'the names of at most'],
    [
      'too many units',
      depositOf({ engineUnits: Array.from({ length: 17 }, () => 'a.service') }),
      'the names of at most',
    ],
    ['more than it says', depositOf(), '2 descriptors for 1 names'],
  ])('%s, and closes what comes with it', async (_, packet, reason) => {
    const deposits = new Deposits()
    const pipe = new TestPipe()
    expect(await deposits.say([packet], [pipe.writeFd, pipe.writeFd])).toContain(reason)
    pipe.closeWrite()
    await vi.waitFor(() => expect(readFileSync(pipe.readFd, 'utf8')).toBe(''), WAIT)
    expect(deposits.refusals).toEqual([expect.stringContaining(reason)])
    expect(deposits.deposits.size).toBe(0)
  })

  test('more and more of them, from one that never says that this is all', async () => {
    const deposits = new Deposits()
    const pipe = new TestPipe()
    const fds = Array.from({ length: 200 }, () => pipe.writeFd)
    const names = Array.from({ length: 500 }, () => 'a')
    expect(await deposits.say([depositOf({ names }), '{}', '{}'], fds)).toContain(
      '600 descriptors for 500 names',
    )
    pipe.closeWrite()
    await vi.waitFor(() => expect(readFileSync(pipe.readFd, 'utf8')).toBe(''), WAIT)
  })

  test.skipIf(getFileLimit().hard < 20_000)(
    'more than it has room for, of all units together',
    async () => {
      const deposits = new Deposits()
      const names = Array.from({ length: MOST_IN_DEPOSIT }, () => 'a')
      for (let index = 0; index < 8; index++) deposits.registered.set(`c${index}`, 'web.service')
      const pipe = new TestPipe()
      const put = (deposit: string): Promise<void> => {
        const fds = names.map(() => pipe.writeFd)
        return depositDescriptors(
          deposits.path,
          { fds, names },
          { id: newId(), deposit, engineUnits: [] },
        )
      }
      for (let index = 0; index < 8; index++) await put(`c${index}`)
      await expect(deposits.put(['a'])).rejects.toThrow('keeps 8192 descriptors, and takes 8192')
      // In place of those that it has, there is room for others.
      await put('c0')
      const before = openFds()
      deposits.deposits.close()
      await untilOpen(before.length - 8192)
    },
  )

  test('half a deposit, of one that has gone', async () => {
    const deposits = new Deposits()
    const pipe = new TestPipe()
    const connection = await deposits.open()
    const half = JSON.stringify(depositOf({ names: ['a', 'b'] }))
    connection.trySend(Buffer.from(half), { fds: [pipe.writeFd] })
    connection.close()
    pipe.closeWrite()
    await vi.waitFor(() => expect(readFileSync(pipe.readFd, 'utf8')).toBe(''), WAIT)
    expect(deposits.deposits.size).toBe(0)
  })
})

describe('the daemon hands nothing to', () => {
  test('one that is of another unit', async () => {
    const deposits = new Deposits({ cgroup: '/system.slice/web.service' })
    const request = await deposits.put(['a'], { engineUnits: ['docker.service'] })
    await expect(askForDescriptors(request)).rejects.toThrow(
      /is in the cgroup .*: expected that of \/system\.slice\/web\.service, docker\.service/,
    )
    expect(deposits.deposits.size).toBe(1)
  })

  test('one that guesses', async () => {
    const deposits = new Deposits()
    const { path } = await deposits.put(['a'])
    await expect(askForDescriptors({ id: newId(), path })).rejects.toThrow('there are none')
    expect(deposits.deposits.size).toBe(1)
  })

  test('those that say nothing, however many they are; and they keep nobody from it', async () => {
    const deposits = new Deposits()
    const request = await deposits.put(['a'])
    for (let index = 0; index < 15; index++) await deposits.open()
    expect(contentsOf((await askForDescriptors(request)).fds)).toEqual(['a'])
  })

  test('those that may not ask at all, who take no room', async () => {
    const deposits = new Deposits({
      judge: () => {
        throw new Error('not you')
      },
    })
    for (let index = 0; index < 40; index++) await deposits.open()
    await expect(deposits.put(['a'])).rejects.toThrow('not you')
    expect(deposits.refusals).toHaveLength(41)
  })

  test.skipIf(!isRoot() || !works(PYTHON, '--version') || !works('unshare', '--version')).each([
    ['another user', ['setpriv', '--reuid=12345', '--clear-groups'], 'is of another user, 12345'],
    ['a user namespace', ['unshare', '--user', '--map-root-user'], 'in another user namespace'],
    ['a pid namespace', ['unshare', '--pid', '--fork'], 'in another pid namespace'],
  ])('%s, though it knows the id', async (_, prefix, reason) => {
    const deposits = new Deposits({ judge: callerOf })
    chmodSync(dirname(deposits.path), 0o755)
    chmodSync(deposits.path, 0o666)
    expect(await askBy(prefix, deposits.path, newId())).toContain(reason)
  })
})

async function askBy(prefix: string[], path: string, id: string): Promise<string> {
  const [file, ...args] = [...prefix, PYTHON, '-ISc', asker(), path, id]
  return await text(spawn(file!, args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout)
}
