import { expect, test } from 'vitest'
import { Program } from './program.js'
import { tcp } from './sockets.js'

test('what nobody has taken can be listed and closed, and nothing else is touched', async () => {
  const program = new Program(
    `import { openSync } from 'node:fs'
     import { describeSocket } from '@sdbridge/syscalls'
     const isOpen = (fd) => { try { return describeSocket(fd) !== undefined } catch { return false } }
     const other = openSync('/dev/null')
     const [web] = takeFds('web')
     say(unclaimedFds().map(({ fd }) => fd)), say(closeUnclaimedFds().map(({ fd }) => fd))
     say([3, 4, 5].map(isOpen)), say([unclaimedFds(), closeUnclaimedFds(), listenFds()])
     say(describeSocket(other) === undefined)`,
    { fds: [tcp().fd, tcp().fd, tcp().fd], names: 'a:web:b' },
  )
  expect(await program.said()).toEqual([3, 5])
  expect(await program.said()).toEqual([3, 5])
  expect(await program.said()).toEqual([false, true, false])
  expect(await program.said()).toEqual([[], [], []])
  expect(await program.said()).toBe(true)
})

test('a descriptor is not closed twice, nor is whatever has its number by then', async () => {
  const program = new Program(
    `import { closeSync, fstatSync, openSync } from 'node:fs'
     const [a, b] = listenFds()
     a.close(), a.close()
     closeSync(b.fd)
     const successors = [openSync('/dev/null'), openSync('/dev/null')]
     a.close(), b.close()
     say(successors.sort()), say(successors.every((fd) => fstatSync(fd, { bigint: true }).isCharacterDevice()))`,
    { fds: [tcp().fd, tcp().fd] },
  )
  expect(await program.said()).toEqual([3, 4])
  expect(await program.said()).toBe(true)
})

test('what a server has adopted is the server’s', async () => {
  const program = new Program(
    `import net from 'node:net'
     const [web] = unclaimedFds()
     const server = net.createServer()
     await listenOrBind(server)
     web.close(), say(server.address() !== null)
     const attempt = (act) => { try { act() } catch ({ code, fd }) { say({ code, fd }) } }
     attempt(() => web.handOver())
     attempt(() => web.duplicate())`,
    { fds: [tcp().fd] },
  )
  expect(await program.said()).toBe(true)
  expect(await program.said()).toEqual({ code: 'ERR_LISTEN_FDS_HANDED_OVER', fd: 3 })
})

test('duplicates are of the same socket, close-on-exec, and closed one by one', async () => {
  const { fd, port } = tcp()
  const program = new Program(
    `import { describeSocket, isCloexec } from '@sdbridge/syscalls'
     const [web] = listenFds()
     const copy = web.duplicate()
     say({ ...copy, fd: copy.fd > 3 }), say(isCloexec(copy.fd))
     web.close(), say(describeSocket(copy.fd).listening)`,
    { fds: [fd], names: 'web' },
  )
  expect(await program.said()).toEqual({
    fd: true,
    name: 'web',
    kind: 'tcp-listener',
    family: 'inet',
    listening: true,
    address: `127.0.0.1:${port}`,
  })
  expect(await program.said()).toBe(true)
  expect(await program.said()).toBe(true)
})

test('several Workers serve on duplicates of one socket', async () => {
  const { fd, port } = tcp()
  const worker = `
    import http from 'node:http'
    import { parentPort, threadId, workerData } from 'node:worker_threads'
    const server = http.createServer((request, response) => response.end(String(threadId)))
    server.listen({ fd: workerData }, () => parentPort.postMessage('listening'))
    parentPort.once('message', () => server.close())`
  const program = new Program(
    `import { once } from 'node:events'
     import http from 'node:http'
     import { Worker } from 'node:worker_threads'
     const [web] = listenFds()
     const start = async () => {
       const worker = new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: ['--input-type=module'], workerData: web.duplicate().fd })
       await once(worker, 'message')
       return worker
     }
     const first = await start(), second = await start()
     const ask = async () => (await fetch('http://127.0.0.1:${port}', { headers: { connection: 'close' } })).text()
     first.postMessage('stop'), await once(first, 'exit')
     say(await ask() === String(second.threadId) ? 'second' : 'other')
     process.exit()`,
    { fds: [fd] },
  )
  expect(await program.said()).toBe('second')
})

test('the channel to the process that forked this one is not taken for a descriptor that was passed', async () => {
  const program = new Program(
    `try { listenFds() } catch ({ code, fd, message }) { say({ code, fd, message }) }`,
    { fds: [tcp().fd], ipc: true, count: 2 },
  )
  expect(await program.said()).toMatchObject({
    code: 'ERR_LISTEN_FDS_BAD_DESCRIPTOR',
    fd: 4,
    message: expect.stringContaining('channel to the process that forked this one') as string,
  })
})
