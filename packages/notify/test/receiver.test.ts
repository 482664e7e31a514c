import { existsSync, lstatSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { closeFd, DatagramSocket, FdWatcher, pipe } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseNotifyAddress } from '../src/address.js'
import { NotifyReceiver } from '../src/receiver/index.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { Inbox } from './inbox.js'

describe('the address', () => {
  test('none given: a free abstract name', () => {
    const [one, two] = [new Inbox(), new Inbox()]
    expect(one.receiver.address).toMatch(/^@./)
    expect(one.receiver.address).not.toBe(two.receiver.address)
  })

  test('a path: the file is for this user alone, unless asked otherwise, and goes at the end', () => {
    const address = join(temporaryDirectory(), 'notify')
    const inbox = new Inbox(address)
    expect(lstatSync(address).mode & 0o777).toBe(0o600)
    inbox.receiver.close()
    expect(existsSync(address)).toBe(false)

    const open = new NotifyReceiver({ address, mode: 0o622, onNotification: () => {} })
    expect(lstatSync(address).mode & 0o777).toBe(0o622)
    open.close()
  })

  test('a path at which a receiver that is gone left its file: it is replaced', () => {
    const address = join(temporaryDirectory(), 'notify')
    const left = new DatagramSocket('unix')
    left.bind({ family: 'unix', path: address })
    left.close()
    expect(existsSync(address)).toBe(true)
    expect(new Inbox(address).receiver.address).toBe(address)
  })

  test('a path at which something else is: it stays', () => {
    const directory = temporaryDirectory()
    const used = join(directory, 'used')
    const other = new Inbox(used)
    expect(() => new Inbox(used)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    expect(lstatSync(other.receiver.address).isSocket()).toBe(true)

    const file = join(directory, 'file')
    writeFileSync(file, 'mine')
    expect(() => new Inbox(file)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    expect(lstatSync(file).size).toBe(4)
  })

  test('closing does not remove the file of a receiver that has taken the path over', () => {
    const address = join(temporaryDirectory(), 'notify')
    const before = descriptors()
    const first = new Inbox(address)
    first.receiver.close()
    const second = new Inbox(address)
    first.receiver.close()
    expect(existsSync(address)).toBe(true)
    second.receiver.close()
    expect(descriptors()).toBeLessThanOrEqual(before + 3) // The poller's own, made once.
  })
})

describe('what is thrown away, as systemd does', () => {
  test.each([
    ['payload-truncated', Buffer.alloc(4097, 'A')],
    ['embedded-nul', Buffer.from('READY=1\0STATUS=x')],
    ['trailing-backslash', Buffer.from('READY=1\nSTATUS=x\\')],
    ['barrier-not-alone', Buffer.from('BARRIER=1\nREADY=1')],
    ['barrier-not-alone', Buffer.from('BARRIER=1')],
  ])('%s', async (reason, data) => {
    const inbox = new Inbox()
    send(inbox, data)
    await inbox.until(1)
    expect(inbox.said).toEqual([])
    expect(inbox.rejections).toMatchObject([{ reason, sender: { pid: process.pid } }])
  })

  test('its descriptors are closed', async () => {
    const inbox = new Inbox()
    const { readFd, writeFd } = pipe()
    send(inbox, Buffer.from('BARRIER=1\nREADY=1'), [writeFd])
    closeFd(writeFd)
    await hangup(readFd)
    expect(inbox.rejections).toMatchObject([{ reason: 'barrier-not-alone' }])
    closeFd(readFd)
  })
})

describe('what is taken', () => {
  test.each([
    ['exactly 4096 bytes', Buffer.from(`STATUS=${'x'.repeat(4089)}`), { status: 'x'.repeat(4089) }],
    ['one NUL at the end', Buffer.from('READY=1\0'), { ready: true }],
    ['an empty datagram, which says nothing', Buffer.alloc(0), {}],
    [
      'lines that end in CR LF',
      Buffer.from('READY=1\r\nSTATUS=up\r\n'),
      { ready: true, status: 'up' },
    ],
  ])('%s', async (_situation, data, expected) => {
    const inbox = new Inbox()
    send(inbox, data)
    await inbox.until(1)
    expect(inbox.said).toEqual([expected])
    expect(inbox.rejections).toEqual([])
  })
})

describe('descriptors', () => {
  test('that the handler leaves alone are closed', async () => {
    const { readFd, writeFd } = pipe()
    const receiver = new NotifyReceiver({ onNotification: () => {} })
    onTestFinished(() => receiver.close())
    sendTo(receiver.address, Buffer.from('FDSTORE=1'), [writeFd])
    closeFd(writeFd)
    await hangup(readFd)
    closeFd(readFd)
  })

  test('that it takes stay open', async () => {
    const inbox = new Inbox()
    const fd = openSync('/dev/null', 'r')
    send(inbox, Buffer.from('FDSTORE=1\nFDNAME=null'), [fd, fd])
    await inbox.until(1)
    expect(inbox.fds).toHaveLength(2)
    for (const each of [fd, ...inbox.fds]) closeFd(each)
  })
})

describe('a barrier', () => {
  test('is answered when everything before it has been handed out', async () => {
    const handed: string[] = []
    const receiver = new NotifyReceiver({
      onNotification: ({ assignments }) => handed.push(assignments.status ?? ''),
    })
    onTestFinished(() => receiver.close())
    // The kernel's queue holds ten where no systemd has raised net.unix.max_dgram_qlen.
    for (let index = 0; index < 9; index++) sendTo(receiver.address, Buffer.from(`STATUS=${index}`))
    const { readFd, writeFd } = pipe()
    sendTo(receiver.address, Buffer.from('BARRIER=1'), [writeFd])
    closeFd(writeFd)
    await hangup(readFd)
    expect(handed).toHaveLength(9)
    closeFd(readFd)
  })
})

describe('a handler that has enough', () => {
  test('pauses: what came along waits until it goes on', async () => {
    const handed: (string | undefined)[] = []
    const receiver = new NotifyReceiver({
      onNotification: ({ assignments }) => {
        handed.push(assignments.status)
        if (assignments.status === '1') receiver.pause()
      },
    })
    onTestFinished(() => receiver.close())
    for (let index = 0; index < 5; index++) sendTo(receiver.address, Buffer.from(`STATUS=${index}`))
    while (handed.length < 2) await turn()
    for (let turns = 0; turns < 5; turns++) await turn()
    expect(handed).toEqual(['0', '1'])
    receiver.resume()
    while (handed.length < 5) await turn()
    expect(handed).toEqual(['0', '1', '2', '3', '4'])
  })

  test('closes: nothing more comes, and what came along is closed', async () => {
    const handed: (string | undefined)[] = []
    const receiver = new NotifyReceiver({
      onNotification: ({ assignments }) => {
        handed.push(assignments.status)
        receiver.close()
      },
    })
    const { readFd, writeFd } = pipe()
    sendTo(receiver.address, Buffer.from('STATUS=0'))
    sendTo(receiver.address, Buffer.from('FDSTORE=1'), [writeFd])
    closeFd(writeFd)
    await hangup(readFd)
    expect(handed).toEqual(['0'])
    closeFd(readFd)
  })
})

test('a handler that throws loses no message but its own', async () => {
  const thrown: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error.message))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  const handed: (string | undefined)[] = []
  const receiver = new NotifyReceiver({
    onNotification: ({ assignments }) => {
      if (assignments.status === '1') throw new Error('the handler failed')
      handed.push(assignments.status)
    },
  })
  onTestFinished(() => receiver.close())
  for (let index = 0; index < 4; index++) sendTo(receiver.address, Buffer.from(`STATUS=${index}`))
  while (handed.length < 3) await turn()
  expect(handed).toEqual(['0', '2', '3'])
  expect(thrown).toEqual(['the handler failed'])
})

function send(inbox: Inbox, data: Buffer, fds: number[] = []): void {
  sendTo(inbox.receiver.address, data, fds)
}

function sendTo(value: string, data: Buffer, fds: number[] = []): void {
  const address = parseNotifyAddress(value)
  if (address.kind !== 'unix-abstract') throw new Error(`unexpected address ${value}`)
  const socket = new DatagramSocket('unix')
  const to = { family: 'unix', abstract: Buffer.from(address.name) } as const
  if (!socket.trySend(data, { address: to, fds })) throw new Error('the queue is full')
  socket.close()
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}

async function hangup(fd: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const watcher = new FdWatcher(fd, () => {
      watcher.close()
      resolve()
    })
    watcher.arm('hangup')
  })
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}
