import { spawn } from 'node:child_process'
import { DatagramSocket } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { Bench, until } from './proxy/bench.js'
import { program, Program } from './proxy/program.js'

/** Sends as another process and another user: root may claim both. */
function sendAs(bench: Bench, text: string, credentials: { pid: number; uid: number }): void {
  const socket = new DatagramSocket('unix')
  onTestFinished(() => socket.close())
  socket.connect({ family: 'unix', path: bench.path })
  socket.trySend(Buffer.from(text), { credentials: { ...credentials, gid: 0 } })
}

function anotherPid(): number {
  const child = spawn('sleep', ['60'])
  onTestFinished(() => void child.kill())
  return child.pid!
}

describe.runIf(isRoot())('as root, who may claim to be anybody', () => {
  test('a list of users: others are refused, and the reason tells who it was', async () => {
    const bench = new Bench({ senders: [1000, 2000] })
    const pid = anotherPid()
    for (const uid of [0, 1000, 1001, 2000]) sendAs(bench, `ERRNO=${uid}`, { pid, uid })
    await until(() => bench.proxy.counters.received === 4)
    expect(await bench.said()).toEqual([{ errno: 1000 }, { errno: 2000 }])
    expect(bench.drops).toMatchObject([
      { reason: 'sender-refused', sender: { pid, uid: 0 }, text: expect.stringContaining('1000') },
      { reason: 'sender-refused', sender: { pid, uid: 1001 } },
    ])
  })

  test('init: the container’s first process alone, and messages wait until it is known', async () => {
    const init = anotherPid()
    let known: number | undefined
    const bench = new Bench({ senders: 'init', init: () => known })
    sendAs(bench, 'STATUS=of another', { pid: process.pid, uid: 0 })
    sendAs(bench, 'READY=1', { pid: init, uid: 0 })
    await until(() => bench.proxy.counters.waiting === 2)
    expect(bench.drops).toEqual([])
    known = init
    expect(await bench.said()).toEqual([{ ready: true }])
    expect(bench.reasons).toEqual(['sender-refused'])
  })

  test('close() while messages wait for the first process to be known', async () => {
    const bench = new Bench({ senders: 'init', init: () => undefined })
    await bench.send('READY=1', [1])
    await until(() => bench.proxy.counters.waiting === 1)
    const idle = bench.proxy.idle()
    bench.proxy.close()
    await idle
  })

  const canUnshare = works('unshare', '--pid', '--fork', 'true') && works(PYTHON, '-c', '')
  test.runIf(canUnshare)(
    'a sender that is in no process table of ours has no pid, and is not heard; its barrier is',
    async () => {
      // The proxy is the one inside of a pid namespace, and this process is outside.
      const bench = new Bench({ upstream: undefined })
      const path = `${bench.directory}/inner.sock`
      bench.startManager()
      const args = ['--pid', '--fork', '--kill-child', process.execPath, program('run-proxy.mjs')]
      const proxy = new Program('unshare', ...args, path, bench.managerPath)
      await proxy.says('bound')
      const client = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
s.send(b'READY=1')
r, w = os.pipe()
socket.send_fds(s, [b'BARRIER=1'], [w])
os.close(w)
os.read(r, 1)
print('released', flush=True)`
      const payload = new Program(PYTHON, '-c', client, path)
      await payload.says('released')
      await until(() => proxy.lines.some((line) => line.startsWith('message: no-sender')))
      bench.manager!.readNow()
      expect(bench.notifications).toEqual([])
    },
  )
})
