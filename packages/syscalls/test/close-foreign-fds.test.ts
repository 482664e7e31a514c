import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { closeFd, closeForeignFds, type ReceivedMessage, describeSocket } from '../src/index.js'
import { Inbox, openSocket, tick, until } from './inbox.js'
import { isOpen, openFds } from './open-fds.js'
import { fixture } from './program.js'

/** Another process that sends a descriptor whose close blocks until that process wants otherwise. */
class LingeringPeer {
  readonly lines: string[] = []
  readonly #child

  constructor(inbox: Pick<Inbox, 'address'>, secondsToWait: number) {
    const name = Buffer.from('abstract' in inbox.address ? inbox.address.abstract : [])
    this.#child = spawn(PYTHON, [fixture('linger.py'), name.toString('hex'), `${secondsToWait}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    createInterface(this.#child.stdout).on('line', (line) => this.lines.push(line))
    // It may have ended before it is told anything, while this process was blocked.
    this.#child.stdin.on('error', () => {})
    onTestFinished(() => void this.#child.kill())
  }

  async says(line: string): Promise<void> {
    await until(() => this.lines.includes(line))
  }

  tell(): void {
    this.#child.stdin.write('\n')
  }

  async ends(): Promise<void> {
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }
}

describe.runIf(works(PYTHON, '--version'))('a descriptor whose close blocks', () => {
  test('blocks this process if it is simply closed', async () => {
    const inbox = new Inbox()
    const peer = new LingeringPeer(inbox, 0.5)
    const [datagram] = await inbox.until(1)
    await peer.says('sent')
    closeFd(datagram!.fds.pop()!)
    peer.tell()
    await peer.ends()
    expect(peer.lines).toEqual(['sent', 'blocked', 'end'])
  })

  test('is closed by closeForeignFds while the event loop goes on', async () => {
    const inbox = new Inbox()
    const peer = new LingeringPeer(inbox, 20)
    const [datagram] = await inbox.until(1)
    await peer.says('sent')
    closeForeignFds(datagram!.fds.splice(0))
    peer.tell()
    await peer.says('free')

    let ticks = 0
    while (ticks < 50) {
      await tick()
      ticks++
    }
    expect(peer.lines).toEqual(['sent', 'free'])
    peer.tell()
    await peer.ends()
    expect(peer.lines).toEqual(['sent', 'free', 'end'])
  })

  test('does not hold up the other descriptors', async () => {
    const inbox = new Inbox()
    const peers = Array.from({ length: 3 }, () => new LingeringPeer(inbox, 20))
    await inbox.until(3)
    for (const peer of peers) await peer.says('sent')
    closeForeignFds(inbox.datagrams.flatMap(({ fds }) => fds.splice(0)))
    const other = openSync('/dev/null', 'r')
    closeForeignFds([other])
    await until(() => !isOpen(other))
    for (const peer of peers) peer.tell()
    for (const peer of peers) await peer.says('free')
    for (const peer of peers) peer.tell()
    for (const peer of peers) await peer.ends()
    for (const { lines } of peers) expect(lines).toEqual(['sent', 'free', 'end'])
  })

  test('and that waits unread in a socket does not block the close of that socket', async () => {
    const socket = openSocket()
    socket.bind({ family: 'unix' })
    const peer = new LingeringPeer({ address: describeSocket(socket.fd)!.localAddress }, 20)
    await peer.says('sent')
    socket.close()
    peer.tell()
    await peer.says('free')
    for (let ticks = 0; ticks < 50; ticks++) await tick()
    peer.tell()
    await peer.ends()
    expect(peer.lines).toEqual(['sent', 'free', 'end'])
  })
})

describe('many descriptors', () => {
  test('are all closed, soon', async () => {
    const before = openFds()
    const inbox = new Inbox()
    const received: ReceivedMessage[] = inbox.datagrams
    for (let round = 0; round < 40; round++) {
      const sender = openSocket()
      sender.trySend(Buffer.from('x'), { address: inbox.address, fds: Array<number>(253).fill(0) })
      sender.close()
      await inbox.until(round + 1)
      closeForeignFds(received[round]!.fds.splice(0))
    }
    inbox.socket.close()
    // The poller's two and the closer's one came to stay.
    await until(() => openFds().length <= before.length + 3)
    expect(openFds().slice(0, before.length)).toEqual(before)
  })

  test('of none is no work', () => {
    expect(() => closeForeignFds([])).not.toThrow()
  })

  test('with one that is not open closes the others', async () => {
    const fd = openSync('/dev/null', 'r')
    closeForeignFds([99_999, fd])
    await until(() => !isOpen(fd))
  })
})
