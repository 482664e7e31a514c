import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Connection,
  DatagramSocket,
  describeSocket,
  openConnection,
  type SocketAddress,
} from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { deliver, deliverSync } from '../src/deliver.js'

// Unix sockets stand for those of vsock here, which few kernels can talk over: test/system/vsock.test.ts has the real ones.
describe.runIf(works(PYTHON, '--version')).each(['stream', 'seqpacket'] as const)(
  'a message over a %s connection',
  (type) => {
    test('is delivered when the receiver has read it and closes', async () => {
      const peer = await receiver(type, 'close')
      await deliver(connection(type), peer.address, Buffer.from('READY=1'))
      expect(await peer.line()).toBe('READY=1')
    })

    test('is not delivered before that, and the event loop goes on', async () => {
      const peer = await receiver(type, 'hold')
      const events: string[] = []
      const delivered = deliver(connection(type), peer.address, Buffer.from('READY=1')).then(() =>
        events.push('delivered'),
      )
      expect(await peer.line()).toBe('READY=1')
      for (let turn = 0; turn < 20; turn++) await delay(5)
      events.push('closing')
      peer.goOn()
      await delivered
      expect(events).toEqual(['closing', 'delivered'])
    })

    test('to a receiver that answers fails', async () => {
      const peer = await receiver(type, 'talk')
      await expect(
        deliver(connection(type), peer.address, Buffer.from('READY=1')),
      ).rejects.toMatchObject({ code: 'EPROTO', syscall: 'recvmsg' })
    })

    test('to a receiver that does not read fails', async () => {
      const peer = await receiver(type, 'wait')
      const delivered = deliver(connection(type), peer.address, Buffer.from('READY=1'))
      peer.kill()
      await expect(delivered).rejects.toMatchObject({
        // Before or after it was sent.
        code: expect.stringMatching(/^(?:EPIPE|ECONNRESET)$/),
      })
    })

    test('to nobody fails', async () => {
      const nobody: SocketAddress = { family: 'unix', abstract: Buffer.from('sdbridge-nobody') }
      const data = Buffer.from('READY=1')
      await expect(deliver(connection(type), nobody, data)).rejects.toMatchObject({
        code: 'ECONNREFUSED',
        syscall: 'connect',
      })
      expect(() => deliverSync(connection(type), nobody, data, 60_000)).toThrow(
        expect.objectContaining({ code: 'ECONNREFUSED', syscall: 'connect' }),
      )
    })

    test('without the event loop: is delivered', async () => {
      const peer = await receiver(type, 'close')
      deliverSync(connection(type), peer.address, Buffer.from('READY=1'), 60_000)
      expect(await peer.line()).toBe('READY=1')
    })

    test('without the event loop: a receiver that answers is an error', async () => {
      const peer = await receiver(type, 'talk')
      const sending = connection(type)
      expect(() => deliverSync(sending, peer.address, Buffer.from('READY=1'), 60_000)).toThrow(
        expect.objectContaining({ code: 'EPROTO' }),
      )
    })

    test('without the event loop: waits no longer than it may for the receiver to close', async () => {
      const peer = await receiver(type, 'hold')
      const sending = connection(type)
      expect(() => deliverSync(sending, peer.address, Buffer.from('READY=1'), 50)).toThrow(
        expect.objectContaining({ code: 'ETIMEDOUT' }),
      )
      expect(await peer.line()).toBe('READY=1')
    })

    test('without the event loop: waits no longer than it may for the connection', async () => {
      const peer = await receiver(type, 'accept-none')
      while (connection(type).tryConnect(peer.address)) continue
      const sending = connection(type)
      expect(() => deliverSync(sending, peer.address, Buffer.from('READY=1'), 50)).toThrow(
        expect.objectContaining({ code: 'ETIMEDOUT' }),
      )
    })
  },
)

describe.runIf(works(PYTHON, '--version'))('a message that is longer than there is room', () => {
  const long = Buffer.from('0123456789'.repeat(100_000))
  const hash = createHash('sha256').update(long).digest('hex')

  test('goes piece by piece over a stream', async () => {
    const peer = await receiver('stream', 'wait')
    const delivered = deliver(connection('stream'), peer.address, long)
    await delay(5)
    peer.goOn()
    await delivered
    expect(await peer.line()).toBe(hash)
  })

  test('without the event loop: as well, as far as there is time', async () => {
    const reading = await receiver('stream', 'close')
    deliverSync(connection('stream'), reading.address, long, 60_000)
    expect(await reading.line()).toBe(hash)

    const waiting = await receiver('stream', 'wait')
    const sending = connection('stream')
    expect(() => deliverSync(sending, waiting.address, long, 50)).toThrow(
      expect.objectContaining({ code: 'ETIMEDOUT' }),
    )
  })
})

test('a datagram is delivered when it is sent', async () => {
  const [inbox, sending] = [new DatagramSocket('unix'), new DatagramSocket('unix')]
  onTestFinished(() => [inbox, sending].forEach((each) => each.close()))
  inbox.bind({ family: 'unix' })
  const { localAddress } = describeSocket(inbox.fd)!
  await deliver(sending, localAddress, Buffer.from('one'))
  deliverSync(sending, localAddress, Buffer.from('two'), 60_000)
  const texts = await new Promise<string[]>((resolve, reject) => {
    const onMessages = (batch: { data: Buffer }[]): void =>
      resolve(batch.map(({ data }) => data.toString()))
    inbox.receive({ onMessages, onError: reject })
  })
  expect(texts).toEqual(['one', 'two'])
})

const PEER = `
import hashlib, socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == 'stream' else socket.SOCK_SEQPACKET
manner = sys.argv[2]
listener = socket.socket(socket.AF_UNIX, kind)
listener.bind('')
listener.listen(1)
print(listener.getsockname()[1:].decode(), flush=True)
if manner == 'accept-none':
    sys.stdin.readline()
connection, _ = listener.accept()
if manner == 'wait':
    sys.stdin.readline()
data = b''
while piece := connection.recv(1 << 20):
    data += piece
print(data.decode() if len(data) < 100 else hashlib.sha256(data).hexdigest(), flush=True)
if manner == 'hold':
    sys.stdin.readline()
if manner == 'talk':
    connection.send(b'x')
connection.close()
sys.stdin.readline()
`

interface Peer {
  address: SocketAddress
  /** The next line that it prints: the message, or the hash of a long one. */
  line(): Promise<string>
  /** Ends its waiting. */
  goOn(): void
  kill(): void
}

/** A receiver of one message, in a process of its own: what it does besides is its manner. */
async function receiver(
  type: 'stream' | 'seqpacket',
  manner: 'close' | 'hold' | 'talk' | 'wait' | 'accept-none',
): Promise<Peer> {
  const child = spawn(PYTHON, ['-c', PEER, type, manner], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => (await lines.next()).value as string
  return {
    address: { family: 'unix', abstract: Buffer.from(await line()) },
    line,
    goOn: () => void child.stdin.write('\n'),
    kill: () => void child.kill('SIGKILL'),
  }
}

function connection(type: 'stream' | 'seqpacket'): Connection {
  const opened = openConnection('unix', type)
  onTestFinished(() => opened.close())
  return opened
}
