import { once } from 'node:events'
import net from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { bindSocket, closeFd, listenBacklog } from '../src/index.js'

test('the backlog of a TCP socket is what listen(2) was told', async () => {
  const server = net.createServer()
  await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 77 }), 'listening')
  onTestFinished(() => void server.close())
  const { fd } = Reflect.get(server, '_handle') as { fd: number }
  expect(listenBacklog(fd)).toBe(77)
})

test('a unix socket does not tell its backlog', () => {
  const fd = bindSocket({ type: 'stream', address: { family: 'unix' } })
  onTestFinished(() => closeFd(fd))
  expect(listenBacklog(fd)).toBeUndefined()
})

test('what is no socket has none', () => {
  expect(() => listenBacklog(0x7fff_0000)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})
