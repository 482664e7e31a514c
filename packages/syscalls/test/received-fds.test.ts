import { fork } from 'node:child_process'
import { fstatSync, readSync, writeSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeFd, isCloexec, pidfdId, pidfdOpen } from '../src/index.js'
import { Inbox, openSender } from './inbox.js'
import { isOpen, openFds } from './open-fds.js'
import { fixture, run } from './program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** The kernel's answer to SO_PASSPIDFD: there are pidfds of senders since Linux 6.5, ids since 6.9. */
function kernelIsAtLeast(major: number, minor: number): boolean {
  const release = process.report.getReport() as { header: { osRelease: string } }
  const [first = 0, second = 0] = release.header.osRelease.split('.').map(Number)
  return first > major || (first === major && second >= minor)
}

describe('a received descriptor', () => {
  test('is a new one, close-on-exec, of the same open file', async () => {
    const inbox = new Inbox()
    const ends = new TestPipe()
    const { readFd, writeFd } = ends
    const sent = openFds()
    openSender(inbox.address).trySend(Buffer.from('x'), { fds: [writeFd] })
    const [datagram] = await inbox.until(1)
    const [fd] = datagram!.fds
    expect(sent).not.toContain(fd)
    expect(isCloexec(fd!)).toBe(true)
    expect(fstatSync(fd!).ino).toBe(fstatSync(writeFd).ino)

    ends.closeWrite()
    writeSync(fd!, 'still open')
    const buffer = Buffer.alloc(100)
    expect(buffer.toString('utf8', 0, readSync(readFd, buffer))).toBe('still open')
  })

  test('is not seen by a program that is started', async () => {
    const inbox = new Inbox()
    openSender(inbox.address).trySend(Buffer.from('x'), { fds: [0, 0, 0] })
    const [datagram] = await inbox.until(1)
    const outcome = await run('/bin/sh', ['-c', 'ls /proc/self/fd'])
    const inherited = outcome.stdout.trim().split('\n').map(Number)
    expect(inherited.filter((fd) => datagram!.fds.includes(fd) && fd > 3)).toEqual([])
  })

  test('belongs to its message where many messages bring some', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    const pipes = Array.from({ length: 5 }, () => new TestPipe())
    for (const [index, { readFd, writeFd }] of pipes.entries()) {
      const fds = index === 2 ? [] : [readFd, writeFd].slice(index % 2)
      expect(sender.trySend(Buffer.from(`${index}`), { fds })).toBe(true)
    }
    await inbox.until(5)
    const inodes = inbox.datagrams.map(({ fds }) => fds.map((fd) => fstatSync(fd).ino))
    expect(inodes).toEqual(
      pipes.map(({ readFd, writeFd }, index) =>
        index === 2 ? [] : [readFd, writeFd].slice(index % 2).map((fd) => fstatSync(fd).ino),
      ),
    )
  })

  test('and 252 others, in each of several messages, all arrive', async () => {
    const inbox = new Inbox()
    const sender = openSender(inbox.address)
    const fds = Array<number>(253).fill(0)
    for (let index = 0; index < 9; index++) sender.trySend(Buffer.from('x'), { fds })
    await inbox.until(9)
    expect(inbox.datagrams.map((datagram) => datagram.fds.length)).toEqual(Array(9).fill(253))
    expect(new Set(inbox.datagrams.flatMap((datagram) => datagram.fds)).size).toBe(9 * 253)
  })

  test('for which there is no room is lost and said to be; the message is not', async () => {
    const outcome = await run('/bin/sh', [
      '-c',
      'ulimit -n 64; exec "$0" "$@"',
      process.execPath,
      fixture('full-table.mjs'),
    ])
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(outcome.stdout)).toEqual({
      // Two numbers were free, and three descriptors came.
      full: { text: 'three', fds: 2, controlTruncated: true, sender: true },
      after: { text: 'again', fds: 3, controlTruncated: false, sender: true },
      leaked: 0,
    })
  })
})

describe("a sender's pidfd", () => {
  test('is not there unless asked for', async () => {
    const inbox = new Inbox()
    openSender(inbox.address).trySend(Buffer.from('x'))
    expect(await inbox.until(1)).toEqual([
      expect.not.objectContaining({ pidfd: expect.anything() }),
    ])
  })

  test.runIf(kernelIsAtLeast(6, 9))('names the sending process for good', async () => {
    const inbox = new Inbox({ pidfd: true })
    const name = Buffer.from('abstract' in inbox.address ? inbox.address.abstract : [])
    const child = fork(fixture('send-and-stay.mjs'), [name.toString('hex')])
    onTestFinished(() => void child.kill())
    const [datagram] = await inbox.until(1)
    const { pidfd } = datagram!
    expect(isCloexec(pidfd!)).toBe(true)

    const opened = pidfdOpen(child.pid!)
    expect(pidfdId(pidfd!)).toBe(pidfdId(opened))
    closeFd(opened)
    const own = pidfdOpen(process.pid)
    expect(pidfdId(pidfd!)).not.toBe(pidfdId(own))
    closeFd(own)
  })

  test.runIf(kernelIsAtLeast(6, 5))('comes beside 253 descriptors', async () => {
    const inbox = new Inbox({ pidfd: true })
    openSender(inbox.address).trySend(Buffer.from('x'), { fds: Array<number>(253).fill(0) })
    const [datagram] = await inbox.until(1)
    expect(datagram).toMatchObject({ controlTruncated: false, pidfd: expect.any(Number) })
    expect(datagram!.fds).toHaveLength(253)
    expect(isOpen(datagram!.pidfd!)).toBe(true)
  })
})
