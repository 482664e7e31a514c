import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { skipOrFail } from './machine/requirements.js'
import { Guest } from './vsock/guest.js'
import type { GuestProcess } from './vsock/guest-process.js'
import { ensureKernel } from './vsock/kernel.js'
import { missingForGuest } from './vsock/requirements.js'

const root = inject('newestRoot')
const kernel = await findKernel()
/** As on a kernel without AF_VSOCK sockets of a type: numbers of socket(2) and errno(3). */
const WITHOUT = {
  dgram: ['2', '93'],
  seqpacket: ['5', '94'],
  'permission for dgram': ['2', '13'],
  'permission for seqpacket': ['5', '13'],
} as const

const ASSIGNMENTS = ['--ready', '--status=hi']
const MESSAGE = 'READY=1\nSTATUS=hi'
const RECEIVED = received(MESSAGE)
const DATAGRAM = [`datagram 2 1023 ${hex(MESSAGE)}`]
/** What send.mjs prints. */
const SENT = '{"leaks":0}'

interface Situation {
  /** What NOTIFY_SOCKET says. */
  address: string
  /** What there is at the other end: see peer.c. Default: nothing. */
  peer?: [type: 'stream' | 'seqpacket' | 'dgram', manner?: 'talk']
  without?: keyof typeof WITHOUT
  /** Run by nobody instead of root. */
  unprivileged?: boolean
}

describe.skipIf(root === undefined || kernel === undefined)('over AF_VSOCK', () => {
  let guest: Guest

  beforeAll(async () => {
    guest = await Guest.boot({ root: root!, kernel: kernel! })
  }, 300_000)

  afterAll(async () => {
    await guest?.halt()
  })

  test.each<[string, Situation, string[] | RegExp]>([
    ['a stream', { address: 'vsock-stream:1:99', peer: ['stream'] }, RECEIVED],
    ['a seqpacket', { address: 'vsock-seqpacket:1:99', peer: ['seqpacket'] }, RECEIVED],
    [
      'the first type that the kernel has, which is seqpacket',
      { address: 'vsock:local:99', peer: ['seqpacket'] },
      RECEIVED,
    ],
    [
      'seqpacket, where the kernel knows no dgram',
      { address: 'vsock:1:99', peer: ['seqpacket'], without: 'dgram' },
      RECEIVED,
    ],
    [
      'stream, where the kernel knows no seqpacket',
      { address: 'vsock:1:99', peer: ['stream'], without: 'seqpacket' },
      RECEIVED,
    ],
    [
      'an ordinary port, from a sender without privileges',
      { address: 'vsock:1:99', peer: ['seqpacket'], unprivileged: true },
      ['connection 1 ordinary', ...RECEIVED.slice(1)],
    ],
    ['no other type, if dgram is asked for', { address: 'vsock-dgram:1:99' }, /no such device/],
    [
      'no other type, if seqpacket is asked for',
      { address: 'vsock-seqpacket:1:99', peer: ['stream'], without: 'seqpacket' },
      /socket type not supported/,
    ],
    [
      'no other type, if the first may not be had',
      { address: 'vsock:1:99', peer: ['seqpacket'], without: 'permission for dgram' },
      /permission denied/,
    ],
    [
      'no other type, if the second may not be had',
      { address: 'vsock:1:99', peer: ['stream'], without: 'permission for seqpacket' },
      /permission denied/,
    ],
    [
      'no other type, if the receiver has another one',
      { address: 'vsock:1:99', peer: ['stream'] },
      /connection reset by peer/,
    ],
    ['a receiver that is not there', { address: 'vsock:1:99' }, /connection reset by peer/],
    ['a machine that is not there', { address: 'vsock-stream:77:99' }, /no such device/],
    [
      'a receiver that answers on a stream',
      { address: 'vsock-stream:1:99', peer: ['stream', 'talk'] },
      /protocol error/,
    ],
    [
      'a receiver that answers on a seqpacket',
      { address: 'vsock:1:99', peer: ['seqpacket', 'talk'] },
      /protocol error/,
    ],
  ])('%s: as systemd-notify', async (_, situation, expected) => {
    await compare(situation, expected)
  })

  test('the next lower port, where 1023 is in use: as systemd-notify', async () => {
    const occupant = await listen('stream', '1023')
    await compare({ address: 'vsock:1:99', peer: ['seqpacket'] }, [
      'connection 1 1022',
      ...RECEIVED.slice(1),
    ])
    await occupant.kill()
  })

  test.each(['stream', 'seqpacket'] as const)(
    'a %s is at its end when the receiver has closed it, and the event loop goes on until then',
    async (type) => {
      const peer = await listen(type, '99', 'hold')
      const sender = start(['patient'], `vsock-${type}:1:99`)
      await sender.until(/turns/)
      await peer.until(/end/)
      expect(lines(sender)).toEqual(['"20 turns of the event loop"'])
      peer.write('x')
      await sender.untilEnd()
      expect(lines(sender).slice(1)).toEqual(['"sent"', SENT])
    },
  )

  test('a receiver that never closes: notifySync gives up in time, and leaves nothing open', async () => {
    await listen('stream', '99', 'hold')
    const sender = await start(['impatient'], 'vsock-stream:1:99').untilEnd()
    expect(JSON.parse(sender.stdout)).toMatchObject({ code: 'ERR_NOTIFY_TIMEOUT', leaks: 0 })
  })

  test('many messages: in order, each on a connection of its own', async () => {
    const peer = await listen('seqpacket', '99')
    const sender = await start(['many'], 'vsock:1:99').untilEnd()
    expect(lines(sender)).toEqual([SENT])
    expect(lines(peer).slice(1)).toEqual(
      Array.from({ length: 20 }, (_, each) => received(`X_N=${each}`)).flat(),
    )
  })

  test('the last message of a process, sent while it exits', async () => {
    const peer = await listen('seqpacket', '99')
    const sender = await start(['exit'], 'vsock:1:99').untilEnd()
    expect([sender.exitCode, sender.stderr]).toEqual([0, ''])
    expect(lines(peer).slice(1)).toEqual(RECEIVED)
  })

  test.each([
    ['a listening socket', [], { name: 'web', kind: 'vsock-listener', listening: true }],
    ['a connection', ['--accept'], { name: 'web', kind: 'vsock-connection', listening: false }],
  ])(
    '%s from systemd-socket-activate serves clients',
    async (_, options, passed) => {
      const service = guest.start('systemd-socket-activate', [
        ...['--listen=vsock:1:77', '--fdname=web', ...options],
        ...['node', '/guest/listen-kinds-service.mjs'],
      ])
      onTestFinished(async () => service.kill())
      await service.until(/Listening on/, () => service.stderr)
      const clients = await Promise.all([askPerl('one'), askPerl('two')])
      expect(clients.map(({ stdout }) => stdout)).toEqual(['web heard one', 'web heard two'])
      const { fds } = JSON.parse(lines(service)[0]!) as { fds: object[] }
      const expected = { fd: 3, family: 'vsock', address: 'vsock:1:77', cloexec: true, ...passed }
      expect(fds).toEqual([{ ...expected, nonBlocking: false }])
    },
    180_000,
  )

  test('inherited listeners and connections are taken over, even if the other end has gone', async () => {
    const { exitCode, stderr, stdout } = await guest.run('node', ['/guest/adopt.mjs'])
    expect([exitCode, stderr]).toEqual([0, ''])
    const hello = { text: 'hello', senders: ['none'], end: 'end' }
    const outcomes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(outcomes).toEqual(
      ['stream', 'seqpacket'].map((type) => ({
        type,
        listener: { flags: [true, true], ...hello },
        connection: hello,
        gone: hello,
        goneSilently: { text: '', senders: [], end: 'end' },
      })),
    )
  })

  describe('where a transport has datagrams', () => {
    beforeAll(async () => {
      // With both of VMware's modules, a machine has datagrams to itself.
      for (const module of ['vmw_vmci', 'vmw_vsock_vmci_transport']) {
        const insmod = await guest.run('/guest/busybox', ['insmod', `/guest/${module}.ko`])
        if (insmod.exitCode !== 0) throw new Error(insmod.stderr)
      }
    })

    test.each<[string, Situation, string[] | RegExp]>([
      ['that is the first type', { address: 'vsock:host:99', peer: ['dgram'] }, DATAGRAM],
      ['it can be asked for', { address: 'vsock-dgram:2:99', peer: ['dgram'] }, DATAGRAM],
      [
        'there is no other type for a receiver elsewhere',
        { address: 'vsock:1:99', peer: ['seqpacket'] },
        /invalid argument/,
      ],
    ])('%s: as systemd-notify', async (_, situation, expected) => {
      await compare(situation, expected)
    })
  })

  async function compare(situation: Situation, expected: string[] | RegExp): Promise<void> {
    const datagrams = expected === DATAGRAM ? 1 : 0
    const theirs = await exchange(
      situation,
      ['systemd-notify', '--no-block', ...ASSIGNMENTS],
      datagrams,
    )
    const ours = await exchange(
      situation,
      ['node', '/guest/send.mjs', 'notify', 'notifySync'],
      2 * datagrams,
    )
    const outcomes = lines(ours.sender).map((line) => JSON.parse(line) as { cause?: string })
    if (Array.isArray(expected)) {
      expect([theirs.sender.exitCode, theirs.sender.stderr]).toEqual([0, ''])
      expect(theirs.received).toEqual(expected)
      expect(lines(ours.sender)).toEqual([SENT, SENT])
      expect(ours.received).toEqual([...expected, ...expected])
      return
    }
    // It tells its failure to the service manager, too: that comes after the message and is of no interest here.
    expect(theirs.sender.stderr.toLowerCase()).toMatch(expected)
    const once = theirs.received.slice(0, situation.peer?.[1] === 'talk' ? RECEIVED.length : 0)
    // A connection that the receiver has not closed yet keeps its port a little longer.
    const oursReceived = ours.received.map((line) => line.replace(/ 1022$/, ' 1023'))
    expect(oursReceived).toEqual([...once, ...once])
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ code: 'ERR_NOTIFY_SEND_FAILED', leaks: 0 })
      expect(outcome.cause).toMatch(expected)
    }
    expect(outcomes).toHaveLength(2)
  }

  async function exchange(
    { address, peer, without, unprivileged = false }: Situation,
    command: string[],
    datagrams: number,
  ): Promise<{ sender: GuestProcess; received: string[] }> {
    const receiver = peer && (await listen(peer[0], '99', peer[1]))
    const [program, ...args] = [
      ...(without ? ['/guest/refuse', ...WITHOUT[without]] : []),
      ...(unprivileged ? ['setpriv', '--reuid=65534', '--clear-groups'] : []),
      ...command,
    ]
    const sender = await guest.run(program!, args, { env: { NOTIFY_SOCKET: address } })
    // Who sends one does not know when it has arrived.
    await receiver?.until(new RegExp(`(?:datagram.*\\n){${datagrams}}`))
    await receiver?.kill()
    return { sender, received: receiver === undefined ? [] : lines(receiver).slice(1) }
  }

  async function listen(type: string, port: string, manner = 'close'): Promise<GuestProcess> {
    const peer = guest.start('/guest/peer', [type, port, manner])
    onTestFinished(async () => peer.kill())
    await peer.until(/listening/)
    return peer
  }

  /** Sends a text to the port 77 and says how it is answered. */
  function askPerl(text: string): Promise<GuestProcess> {
    // AF_VSOCK, SOCK_STREAM, and a sockaddr_vm of VMADDR_CID_LOCAL
    const program = `
      socket(my $client, 40, 1, 0) or die $!;
      connect($client, pack('SSLLL', 40, 0, 77, 1, 0)) or die $!;
      syswrite($client, '${text}');
      shutdown($client, 1);
      print <$client>`
    return guest.run('perl', ['-e', program])
  }

  function start(ways: string[], address: string): GuestProcess {
    return guest.start('node', ['/guest/send.mjs', ...ways], { env: { NOTIFY_SOCKET: address } })
  }
})

async function findKernel(): Promise<string | undefined> {
  const missing = await missingForGuest()
  if (skipOrFail(missing)) return undefined
  try {
    return await ensureKernel()
  } catch (error) {
    skipOrFail([error instanceof Error ? error.message : String(error)])
    return undefined
  }
}

/** What peer.c prints of a message on a connection from the privileged port that is tried first. */
function received(text: string): string[] {
  return ['connection 1 1023', `data ${hex(text)}`, 'end']
}

function hex(text: string): string {
  return Buffer.from(text).toString('hex')
}

/** What it has printed. Of the ports that anybody may use, any is as good as another. */
function lines({ stdout }: GuestProcess): string[] {
  const text = stdout
    .trim()
    .replace(/(?<=^connection \d+ )\d+$/gm, (port) => (Number(port) < 1024 ? port : 'ordinary'))
  return text === '' ? [] : text.split('\n')
}
