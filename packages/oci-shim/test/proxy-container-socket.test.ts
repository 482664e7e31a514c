import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { DatagramSocket } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { ContainerSocket } from '../src/proxy/container-socket.js'
import { Bench, until } from './proxy/bench.js'
import { openFds } from './proxy/open-fds.js'

describe.runIf(works(PYTHON, '-c', ''))('a container socket that has failed', () => {
  test('is used as any other until it is made anew', async () => {
    const path = join(temporaryDirectory(), 'notify.sock')
    const received: string[] = []
    const socket = await failed(path, () => {
      const made = new ContainerSocket({
        path,
        pidfd: false,
        onMessages: (batch) => received.push(...batch.map(({ data }) => String(data))),
      })
      onTestFinished(() => made.close())
      return made
    })
    socket.resume()
    expect(socket.readBatch()).toBe(0)
    socket.pause()
    socket.resume()
    socket.pause()
    expect(socket.paused).toBe(true)
    await until(() => existsSync(path))

    send(path, 'READY=1')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(received).toEqual([])
    socket.resume()
    await until(() => received.length > 0)
    expect(received).toEqual(['READY=1'])
  })

  test('and a proxy with it has nothing to wait for', async () => {
    const path = join(temporaryDirectory(), 'proxy.sock')
    const { proxy } = await failed(path, () => new Bench({ path, upstream: undefined }))
    await proxy.idle()
    expect(proxy.counters.received).toBe(0)
  })

  test('can be closed, and is not made anew then', async () => {
    const path = join(temporaryDirectory(), 'notify.sock')
    const options = { path, pidfd: false, onMessages: () => {} }
    const socket = await failed(path, () => new ContainerSocket(options))
    socket.close()
    socket.pause()
    socket.resume()
    expect(socket.readBatch()).toBe(0)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(existsSync(path)).toBe(false)
  })
})

/** What has the socket, in the moment after its failure. */
async function failed<T>(path: string, make: () => T): Promise<T> {
  const before = sockets()
  const made = make()
  const own = sockets().find((socket) => !before.includes(socket))!
  // Another holder of the same socket shuts it down.
  const script = 'import socket; socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)'
  const stdio = ['ignore', 'inherit', 'inherit', Number(own.split(' ')[0])] as const
  expect(spawnSync(PYTHON, ['-c', script], { stdio: [...stdio] }).status).toBe(0)
  while (existsSync(path)) await turn()
  return made
}

function sockets(): string[] {
  return openFds().filter((open) => open.includes('socket:'))
}

function send(path: string, text: string): void {
  const socket = new DatagramSocket('unix')
  socket.connect({ family: 'unix', path })
  socket.trySend(Buffer.from(text))
  socket.close()
}
