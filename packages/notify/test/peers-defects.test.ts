import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { closeFd, DatagramSocket, isCloexec, pipe } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { notify, ready, reloading, status, watchdog, watchdogInterval } from '../src/index.js'
import { parseMessage } from '../src/parse-message.js'
import { Wire } from './conformance/wire.js'
import { Inbox } from './inbox.js'

// Each of these was found in a library for some language, which is named: it must not be found here. What they do with
// inherited sockets is in the test of the same name of @sdbridge/listen-fds.

const REFUSED = expect.objectContaining({ code: 'ERR_NOTIFY_VALUE_INVALID' })

describe('a status', () => {
  test('sd-notify: a line break in it sends another assignment', async () => {
    expect(await sent({ status: 'a\nMAINPID=1' })).toBe('STATUS=a MAINPID=1')
    expect(await sent({ status: 'a\r\nREADY=1\n' })).toBe('STATUS=a READY=1')
  })

  test('erlang-systemd: a line break in it is framed as for the journal', async () => {
    const { data } = await sentMessage({ status: 'a\nb' })
    expect(data).toEqual(Buffer.from('STATUS=a b'))
  })

  test('service-systemd: it is sent as STATE=', async () => {
    const wire = new Wire()
    await status('up', { env: wire.env })
    expect((await wire.takeOne()).data.toString()).toBe('STATUS=up')
  })

  test('SDNotify for Java: it is cut by the number of its characters', async () => {
    expect(await sent({ status: 'Grüße aus Köln €🚀' })).toBe('STATUS=Grüße aus Köln €🚀')
  })

  test('SDNotify for Java: cut at the limit, half a character is left', async () => {
    for (const character of ['é', '€', '🚀']) {
      const { data } = await sentMessage({ status: character.repeat(4096) })
      const message = parseMessage(data)
      expect(message).toMatchObject({ problems: [], assignments: { status: /…$/ } })
      expect(data.toString()).not.toContain('\ufffd')
      expect(data.length).toBeGreaterThan(4096 - Buffer.byteLength(character))
    }
  })

  test('sdnotify for Python: it is sent in Latin-1', async () => {
    const { data } = await sentMessage({ status: 'é' })
    expect(data).toEqual(Buffer.from('5354415455533dc3a9', 'hex'))
  })

  test('service-systemd: values longer than 512 bytes are dropped', async () => {
    const long = 'x'.repeat(600)
    expect(await sent({ status: long })).toBe(`STATUS=${long}`)
  })
})

describe('an abstract address', () => {
  test('sd-notify for Rust, ruby-sdnotify: it is taken for a relative path', async () => {
    const wire = new Wire()
    expect(wire.env.NOTIFY_SOCKET).toMatch(/^@/)
    expect(await notify({ ready: true }, { env: wire.env })).toBe(true)
    await wire.takeOne()
  })

  test('SDNotify for Java, unix-dgram, node-unix-socket: NULs to the end of the name', async () => {
    const name = `sdbridge-peers-${process.pid}`
    const exact = bound(Buffer.from(name))
    const padded = bound(Buffer.concat([Buffer.from(name), Buffer.alloc(107 - name.length)]))
    await notify({ ready: true }, { env: { NOTIFY_SOCKET: `@${name}` } })
    while (exact.length + padded.length === 0) await turn()
    expect([exact, padded]).toEqual([['READY=1'], []])
  })
})

describe('descriptors', () => {
  test('cysystemd, ruby-sdnotify: FDSTORE=1 goes without any', async () => {
    const inbox = new Inbox()
    const { readFd, writeFd } = pipe()
    await notify({ fdStore: true, fdName: 'db' }, { env: inbox.env, fds: [readFd, writeFd] })
    await inbox.until(1)
    const inodes = (fds: number[]): number[] => fds.map((fd) => fstatSync(fd).ino)
    expect(inodes(inbox.fds)).toEqual(inodes([readFd, writeFd]))
    for (const fd of [readFd, writeFd, ...inbox.fds]) closeFd(fd)
    await expect(notify({ fdStore: true }, { env: inbox.env })).rejects.toThrow(REFUSED)
  })

  test('erlang-systemd: the name is sent as FDNAMES=', async () => {
    expect(await sent({ fdStore: true, fdName: 'db' }, 1)).toBe('FDSTORE=1\nFDNAME=db')
    expect(await sent({ fdStoreRemove: true, fdName: 'db' })).toBe('FDSTOREREMOVE=1\nFDNAME=db')
  })

  test('service-systemd: one message has a name for each descriptor', async () => {
    const text = await sent({ fdStore: true, fdName: 'db' }, 3)
    expect(text.match(/FDNAME=/g)).toHaveLength(1)
    // @ts-expect-error: one name for all
    await expect(sent({ fdStore: true, fdName: ['a', 'b', 'c'] }, 3)).rejects.toThrow(TypeError)
  })

  test('cysystemd: the name must be a number', async () => {
    // @ts-expect-error: the name must be a string
    await expect(sent({ fdStore: true, fdName: 1 }, 1)).rejects.toThrow(TypeError)
    expect(await sent({ fdStore: true, fdName: '1' }, 1)).toBe('FDSTORE=1\nFDNAME=1')
  })

  test('libsystemd: more than 253 are an error, before 257 one that says nothing', async () => {
    const wire = new Wire()
    const fds = Array.from({ length: 254 }, () => openSync('/dev/null', 'r'))
    onTestFinished(() => fds.forEach((fd) => closeSync(fd)))
    await notify({ fdStore: true, fdName: 'db' }, { env: wire.env, fds })
    const messages = await wire.take(2)
    expect(messages.map(({ data }) => data.toString())).toEqual([
      'FDSTORE=1\nFDNAME=db',
      'FDSTORE=1\nFDNAME=db',
    ])
    expect(messages.map((message) => message.fds.length)).toEqual([253, 1])
  })

  test('libsystemd-rs: each notification leaves one open', async () => {
    const wire = new Wire()
    const send = async (): Promise<void> => {
      await notify({ watchdog: true }, { env: wire.env })
      await wire.takeOne()
    }
    await send()
    const before = await settledDescriptors()
    for (let round = 0; round < 50; round++) await send()
    expect(readdirSync('/proc/self/fd')).toEqual(before)
  })

  test('libsystemd-rs: the socket is passed on to children', async () => {
    const wire = new Wire()
    await notify({ ready: true }, { env: wire.env })
    await wire.takeOne()
    const sockets = readdirSync('/proc/self/fd').map(Number).filter(isOpenSocket)
    // Those of the wire and of notify(), if not of others.
    expect(sockets.length).toBeGreaterThan(1)
    expect(sockets.filter((fd) => !isCloexec(fd))).toEqual([])
  })
})

// What other tests have received may be closed on a thread, and so a little later.
async function settledDescriptors(): Promise<string[]> {
  for (let fds = readdirSync('/proc/self/fd'); ;) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const now = readdirSync('/proc/self/fd')
    if (now.length === fds.length) return now
    fds = now
  }
}

describe('a barrier', () => {
  test('all but libsystemd: it cannot be sent; wrongly made it is dropped', async () => {
    expect(await sent({ barrier: true }, 1)).toBe('BARRIER=1')
    for (const fdCount of [0, 2]) {
      await expect(sent({ barrier: true }, fdCount)).rejects.toThrow(REFUSED)
    }
    await expect(sent({ barrier: true, ready: true }, 1)).rejects.toThrow(REFUSED)
  })
})

describe('a reload', () => {
  test('sd-daemon, sd-notify for Rust, Tmds.Systemd: without MONOTONIC_USEC= it never ends', async () => {
    const wire = new Wire()
    await reloading({ env: wire.env })
    const { data } = await wire.takeOne()
    expect(data.toString()).toMatch(/^RELOADING=1\nMONOTONIC_USEC=[1-9]\d*$/)
  })
})

describe('a message', () => {
  test('systemd before 253: of READY=1 and STOPPING=1 the last one wins', () => {
    for (const text of ['READY=1\nSTOPPING=1', 'STOPPING=1\nREADY=1']) {
      expect(parseMessage(Buffer.from(text))).toMatchObject({
        assignments: { ready: true, stopping: true },
      })
    }
  })

  test('sd-notify for Rust: EXTEND_TIMEOUT_USEC= has 32 bits', async () => {
    const value = 2n ** 40n
    expect(await sent({ extendTimeoutUsec: value })).toBe('EXTEND_TIMEOUT_USEC=1099511627776')
    expect(await sent({ extendTimeoutUsec: 1e15 })).toBe('EXTEND_TIMEOUT_USEC=1000000000000000')
  })
})

describe('a watchdog', () => {
  const hour = '3600000000'

  test('sd-daemon, zigbee2mqtt: it pings for another process', async () => {
    const wire = new Wire()
    const env = { ...wire.env, WATCHDOG_USEC: hour, WATCHDOG_PID: String(process.ppid) }
    const pinging = watchdog({ env })
    onTestFinished(() => pinging.stop())
    expect(pinging.intervalMs).toBeUndefined()
    // A ping, had there been one, would come first.
    await notify({ ready: true }, { env })
    expect((await wire.takeOne()).data.toString()).toBe('READY=1')
  })

  test('sd-notify for Rust: without WATCHDOG_PID it does not ping', () => {
    expect(watchdogInterval({ env: { WATCHDOG_USEC: hour } })).toBe(3_600_000)
  })

  test('puma, all in Node: the first ping comes only after one interval', async () => {
    const wire = new Wire()
    const pinging = watchdog({ env: { ...wire.env, WATCHDOG_USEC: hour } })
    onTestFinished(() => pinging.stop())
    expect((await wire.takeOne()).data.toString()).toBe('WATCHDOG=1')
  })

  test('sd-notify: the interval is not that of the unit', () => {
    const pinging = watchdog({ env: { ...new Wire().env, WATCHDOG_USEC: hour } })
    onTestFinished(() => pinging.stop())
    expect(pinging.intervalMs).toBe(1_800_000)
  })

  test('libsystemd-rs: the interval loses what is below a millisecond', () => {
    expect(watchdogInterval({ env: { WATCHDOG_USEC: '1500' } })).toBe(1.5)
  })

  test('libsystemd: an interval without end overflows a timer', () => {
    expect(watchdogInterval({ env: { WATCHDOG_USEC: '18446744073709551615' } })).toBeUndefined()
  })
})

describe('the outcome', () => {
  test('sd-notify, sdnotify-napi, sdnotify for Python: an error is swallowed', async () => {
    const env = { NOTIFY_SOCKET: '/nonexistent/notify' }
    await expect(ready(undefined, { env })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_NOTIFY_SEND_FAILED' }),
    )
  })

  test('sd-notify: no service manager looks like an error, or like success', async () => {
    expect(await ready(undefined, { env: {} })).toBe(false)
  })

  test('go-systemd in traefik: after READY=1 the address is gone, and the watchdog with it', async () => {
    const wire = new Wire()
    const env = { ...wire.env }
    await ready(undefined, { env })
    expect(env).toEqual(wire.env)
    expect(await notify({ watchdog: true }, { env })).toBe(true)
    await wire.take(2)
  })
})

test('sd-notify: in a Worker it cannot be loaded', async () => {
  const wire = new Wire()
  const url = new URL('../dist/index.js', import.meta.url).href
  const script = `import(${JSON.stringify(url)}).then(({ notify }) =>
    notify({ ready: true }, { env: ${JSON.stringify(wire.env)} }))`
  for (let round = 0; round < 2; round++) {
    const worker = new Worker(script, { eval: true })
    expect(await once(worker, 'exit')).toEqual([0])
  }
  expect((await wire.take(2)).map(({ data }) => data.toString())).toEqual(['READY=1', 'READY=1'])
})

async function sent(...args: Parameters<typeof sentMessage>): Promise<string> {
  return (await sentMessage(...args)).data.toString()
}

async function sentMessage(
  assignments: Parameters<typeof notify>[0],
  fdCount = 0,
): ReturnType<Wire['takeOne']> {
  const wire = new Wire()
  const fds = Array.from({ length: fdCount }, () => openSync('/dev/null', 'r'))
  try {
    await notify(assignments, { env: wire.env, fds })
    return await wire.takeOne()
  } finally {
    for (const fd of fds) closeSync(fd)
  }
}

function bound(abstract: Buffer): string[] {
  const texts: string[] = []
  const socket = new DatagramSocket('unix')
  onTestFinished(() => socket.close())
  socket.bind({ family: 'unix', abstract })
  socket.receive({
    onMessages: (batch) => texts.push(...batch.map(({ data }) => data.toString())),
    onError: (error) => {
      throw error
    },
  })
  return texts
}

function isOpenSocket(fd: number): boolean {
  try {
    return fd > 2 && fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}
