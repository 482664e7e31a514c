import { bindSocket, closeFd } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listenFds } from '../src/index.js'
import { pidfdIdOf } from '../src/pidfd-id.js'
import { activate, Service, serviceCommand } from './service.js'

// Each of these was found in a library for some language, which is named: it must not be found here.

describe('the count', () => {
  test('systemd-socket: an index beyond the last one gives a descriptor', async () => {
    const { fds } = await activate([tcp(), tcp()]).report()
    expect(fds.map(({ fd }) => fd)).toEqual([3, 4])
  })

  test('Kestrel: only the first one is taken', async () => {
    const { fds } = await activate([tcp(), tcp(), tcp()]).report()
    expect(fds).toHaveLength(3)
  })

  test.each(['0', '-1', '', 'x', '1x', '1.5', '2147483645', '4294967297', '18446744073709551617'])(
    'go-systemd, listenfd: LISTEN_FDS=%s is no mistake, or means none',
    (LISTEN_FDS) => {
      const env = { LISTEN_PID: String(process.pid), LISTEN_FDS }
      expect(() => listenFds({ env })).toThrow(
        expect.objectContaining({
          code: 'ERR_LISTEN_FDS_INVALID_ENVIRONMENT',
          variable: 'LISTEN_FDS',
        }),
      )
      expect(env).toEqual({})
    },
  )
})

describe('the process', () => {
  test('written by hand, sd-daemon, service-systemd: LISTEN_PID is not looked at', async () => {
    const script = 'LISTEN_PID=$$ LISTEN_FDS=1 "$@"; exit 0'
    const command = ['sh', '-c', script, 'sh', ...serviceCommand()]
    expect((await new Service(command, { fds: [tcp()] }).report()).fds).toEqual([])
  })

  test('listenfd: without LISTEN_PID it takes what it finds', () => {
    expect(listenFds({ env: { LISTEN_FDS: '1' } })).toEqual([])
  })

  test('written by hand: descriptor 3 is what Node waits with, if none was passed', async () => {
    const { error, fds } = await activate([], { count: 1 }).report()
    expect(fds).toBeUndefined()
    expect(error).toMatchObject({ code: 'ERR_LISTEN_FDS_BAD_DESCRIPTOR', fd: 3 })
  })

  test('all but libsystemd: LISTEN_PIDFDID of an earlier process with this pid is not looked at', () => {
    const env = { LISTEN_PID: String(process.pid), LISTEN_FDS: '1', LISTEN_PIDFDID: '1' }
    // Before Linux 6.9 nobody can tell, and the descriptor that is not there is found missing.
    if (pidfdIdOf(process.pid) === undefined)
      expect(() => listenFds({ env })).toThrow('descriptor 3')
    else expect(listenFds({ env })).toEqual([])
  })
})

describe('names', () => {
  test('libsystemd-rs: without LISTEN_FDNAMES there are no descriptors', async () => {
    const { fds } = await activate([tcp(), tcp()]).report()
    expect(fds.map(({ name }) => name)).toEqual(['unknown', 'unknown'])
  })

  test.each(['a', 'a:b:c', ''])(
    'go-systemd, libsystemd-rs: %j for two descriptors is made good in silence',
    async (names) => {
      const { error } = await activate([tcp(), tcp()], { names }).report()
      expect(error).toMatchObject({
        code: 'ERR_LISTEN_FDS_INVALID_ENVIRONMENT',
        variable: 'LISTEN_FDNAMES',
      })
    },
  )

  test('node-sd-daemon: of two with the same name one is lost', async () => {
    const { fds } = await activate([tcp(), tcp()], { names: 'web:web' }).report()
    expect(fds.map(({ fd, name }) => [fd, name])).toEqual([
      [3, 'web'],
      [4, 'web'],
    ])
  })
})

describe('children', () => {
  test('Kestrel, sd-daemon, systemd-socket: they get the sockets and the variables', async () => {
    const settings = { names: 'web', clearCloexec: [3], child: true }
    const { child } = await activate([tcp()], settings).report()
    expect(child).toEqual({ descriptors: [], variables: [] })
  })
})

describe('the kind', () => {
  test('all in Node: a datagram socket is given to a server, which fails later', async () => {
    const udp = opened(bindSocket({ type: 'dgram', address: LOCALHOST }))
    const { fds } = await activate([udp]).report()
    expect(fds).toMatchObject([{ kind: 'udp', listening: false }])
  })
})

const LOCALHOST = { family: 'inet', address: '127.0.0.1', port: 0 } as const

function tcp(): number {
  return opened(bindSocket({ type: 'stream', address: LOCALHOST }))
}

function opened(fd: number): number {
  onTestFinished(() => closeFd(fd))
  return fd
}
