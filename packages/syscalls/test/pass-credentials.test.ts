import { describe, expect, onTestFinished, test } from 'vitest'
import { Connection } from '../src/connection.js'
import { native } from '../src/native.js'
import { canDeny, runDenied } from './sandbox.js'

const PROGRAM = `
  const results = {}
  const nothing = () => {}
  async function attempt(name, call) {
    try {
      await call()
      results[name] = 'done'
    } catch ({ code, syscall }) {
      results[name] = code + ' ' + syscall
    }
  }
  const address = { family: 'unix', abstract: Buffer.from('sdbridge-credentials-' + process.pid) }
  const receiver = new s.DatagramSocket('unix')
  const fd = s.bindSocket({ type: 'seqpacket', address })
  const listen = () => new s.ConnectionListener(fd, { onConnection: nothing, onError: nothing })
  await attempt('bind', () => new s.DatagramSocket('unix').bind({ family: 'unix' }))
  await attempt('receive', () => receiver.receive({ onMessages: nothing, onError: nothing }))
  await attempt('connect', () => s.connectSocket({ type: 'seqpacket', address }))
  for (const set of [s.setCloexec, s.setNonBlocking]) set(fd, false)
  await attempt('listen', listen)
  const inherited = s.bindSocket({ type: 'dgram', address: { family: 'unix' } })
  for (const set of [s.setCloexec, s.setNonBlocking]) set(inherited, false)
  await attempt('adopt', () => s.DatagramSocket.adopt(inherited))
  results.flags = [fd, inherited].flatMap((each) => [s.isCloexec(each), s.isNonBlocking(each)])
  console.log(JSON.stringify(results))
  process.exit()`

describe.runIf(canDeny())('a system that does not name senders', () => {
  test.each([
    ['EACCES', 'EACCES setsockopt'],
    ['ENOPROTOOPT', 'ENOPROTOOPT setsockopt'],
    // What kernels from 6.16 on say of sockets that have none.
    ['EOPNOTSUPP', 'done'],
  ])('and says %s: %s', async (error, result) => {
    const outcome = await runDenied([`setsockopt:1=1,2=16:${error}`], PROGRAM)
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const all = { bind: result, receive: result, connect: result, listen: result, adopt: result }
    // What could not be adopted is as it was.
    const flags = Array(4).fill(result === 'done') as boolean[]
    expect(JSON.parse(outcome.stdout)).toEqual({ ...all, flags })
  })
})

test('a socket whose family has no senders is received from', () => {
  const [AF_INET, SOCK_DGRAM] = [2, 2]
  const socket = new Connection(native().socket(AF_INET, SOCK_DGRAM, 0, 1), 'seqpacket')
  onTestFinished(() => socket.close())
  const never = (): never => expect.unreachable()
  expect(() => socket.receive({ onMessages: never, onError: never })).not.toThrow()
})
