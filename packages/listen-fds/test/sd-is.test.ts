import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { bindSocket, closeFd, describeSocket } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  isFifo,
  isMq,
  isSocket,
  isSocketInet,
  isSocketSockaddr,
  isSocketUnix,
  isSpecial,
} from '../src/index.js'

// What the functions answer is compared with libsystemd in libsystemd/agreement.ts. Here is what C cannot be asked.
const ADDRESS = { address: '127.0.0.1' }

describe('an error', () => {
  test.each([
    ['sd_is_fifo', () => isFifo(-1)],
    ['sd_is_special', () => isSpecial(-1)],
    ['sd_is_mq', () => isMq(-1)],
    ['sd_is_socket', () => isSocket(-1)],
    ['sd_is_socket_inet', () => isSocketInet(-1)],
    ['sd_is_socket_sockaddr', () => isSocketSockaddr(-1, { address: ADDRESS })],
    ['sd_is_socket_unix', () => isSocketUnix(-1)],
  ])('of libsystemd looks like one of Node, and names its function: %s', (syscall, call) => {
    const message = `EBADF: bad file descriptor, ${syscall} 'fd -1'`
    expect(call).toThrow(expect.objectContaining({ code: 'EBADF', errno: -9, syscall, message }))
  })

  test('of a system call is what Node or the addon says', () => {
    expect(() => isFifo(999_999)).toThrow(
      expect.objectContaining({ code: 'EBADF', errno: -9, syscall: 'fstat' }),
    )
  })
})

describe('no question to a system call:', () => {
  const fd = 0
  test.each<[name: string, call: () => unknown, message: RegExp]>([
    ['an unknown family', () => isSocket(fd, { family: 'ipv4' as 'inet' }), /^family must be unix, inet, .*, not 'ipv4'$/], // prettier-ignore
    ['a family of Object', () => isSocket(fd, { family: 'toString' as 'inet' }), /^family must be/],
    ['a fraction of a family', () => isSocket(fd, { family: 1.5 }), /^family must be .*, not 1.5$/],
    ['an unknown type', () => isSocket(fd, { type: 'tcp' as 'stream' }), /^type must be stream, .*, not 'tcp'$/], // prettier-ignore
    ['a type that is none', () => isSocketUnix(fd, { type: Number.NaN }), /^type must be/],
    ['a port beyond 16 bits', () => isSocketInet(fd, { port: 65_536 }), /^port must be .* 65535/],
    ['a port of letters', () => isSocketInet(fd, { port: '80' as never }), /^port must be/],
    ['a host name', () => isSocketSockaddr(fd, { address: { address: 'localhost' } }), /^address must be an IPv4 or IPv6 address, not 'localhost'$/], // prettier-ignore
    ['a zone', () => isSocketSockaddr(fd, { address: { address: 'fe80::1%lo' } }), /fe80::1%lo/],
    ['a negative port', () => isSocketSockaddr(fd, { address: { ...ADDRESS, port: -1 } }), /port/],
    ['a NUL in a path', () => isSocketUnix(fd, { path: '\0web' }), /^path must be without NUL/],
    [
      'two names',
      () => isSocketUnix(fd, { path: '/web', abstract: 'web' }),
      /^path must be absent/,
    ],
    ['a path that is none', () => isSocketUnix(fd, { path: 1 as never }), /^path must be a string/],
  ])('%s', (_name, call, message) => {
    expect(call).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringMatching(message),
      }),
    )
  })

  test.each([undefined, '3', 1.5, Number.NaN])('the descriptor %j', (value) => {
    for (const call of [isFifo, isSpecial, isMq, isSocket, isSocketInet, isSocketUnix]) {
      expect(() => call(value as number)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^ERR_(INVALID_ARG|OUT_OF)/) }),
      )
    }
  })
})

test('what server.address() returns is an address to compare with', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '::1', resolve))
  onTestFinished(() => void server.close())
  const fd = (Reflect.get(server, '_handle') as { fd: number }).fd
  const address = server.address() as AddressInfo
  expect(isSocketSockaddr(fd, { address, type: 'stream', listening: true })).toBe(true)
  expect(isSocketSockaddr(fd, { address: { ...address, port: 1 } })).toBe(false)
})

test('a name can be text as well as bytes', () => {
  const abstract = `sdbridge-größe-${process.pid}`
  const fd = bindSocket({
    type: 'dgram',
    address: { family: 'unix', abstract: Buffer.from(abstract) },
  })
  onTestFinished(() => closeFd(fd))
  expect(describeSocket(fd)).toMatchObject({ type: 'dgram' })
  expect(isSocketUnix(fd, { abstract })).toBe(true)
  expect(isSocketUnix(fd, { abstract: Buffer.from(abstract) })).toBe(true)
  expect(isSocketUnix(fd, { abstract: Buffer.from(abstract, 'latin1') })).toBe(false)
})

test('what needs no addon does not load it', () => {
  const file = openSync('/dev/null', 'r')
  onTestFinished(() => closeSync(file))
  const source = `
    import { readFileSync } from 'node:fs'
    import { isFifo, isMq, isSocket, isSpecial } from '@sdbridge/listen-fds'
    const isLoaded = () => readFileSync('/proc/self/maps', 'utf8').includes('.node\\n')
    const answers = [isFifo(0), isFifo(0, '/'), isSocket(0), isMq(3), isSpecial(3, '/dev/null'), isLoaded()]
    try {
      isSocket(-1)
    } catch (error) {
      answers.push(error.code, isLoaded())
    }
    // Which shows that it would be seen.
    isSocket(0, { type: 'stream' })
    console.log(JSON.stringify([...answers, isLoaded()]))`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: new URL('.', import.meta.url),
    stdio: ['pipe', 'pipe', 'inherit', file],
    encoding: 'utf8',
  })
  // Node's standard input is a socket here.
  const answers = [false, false, true, false, true]
  expect(JSON.parse(output)).toEqual([...answers, false, 'EBADF', false, true])
})
