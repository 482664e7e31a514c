import { bindSocket, closeFd } from '@sdbridge/syscalls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LISTEN_FDS_START } from '../src/index.js'
import { askHttp, askUdp } from './client.js'
import { activate, type ReportedFd, Service, serviceCommand } from './service.js'

const BAD_DESCRIPTOR = { code: 'ERR_LISTEN_FDS_BAD_DESCRIPTOR' }

describe('a service that was passed sockets', () => {
  test('serves HTTP on a TCP socket', async () => {
    const service = activate([tcp()], { names: 'web' })
    const { fds } = await service.report()
    expect(fds).toEqual([
      {
        fd: LISTEN_FDS_START,
        name: 'web',
        kind: 'tcp-listener',
        family: 'inet',
        listening: true,
        address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      },
    ])
    await service.serving()
    expect(await askHttp({ port: portOf(fds[0]!) })).toBe('web')
  })

  test('serves each of several sockets, in order and by name', async () => {
    const service = activate([tcp(), udp(), tcp()], { names: 'web:dns:web' })
    const { fds } = await service.report()
    expect(fds.map(({ fd, name, kind }) => [fd, name, kind])).toEqual([
      [3, 'web', 'tcp-listener'],
      [4, 'dns', 'udp'],
      [5, 'web', 'tcp-listener'],
    ])
    await service.serving()
    const [first, dns, second] = fds.map(portOf)
    expect(await askHttp({ port: first! })).toBe('web')
    expect(await askUdp('127.0.0.1', dns!, 'hello')).toBe('echo hello')
    expect(await askHttp({ port: second! })).toBe('web')
  })

  // The service manager clears O_NONBLOCK (NonBlocking=no); a blocking one would stop the event loop.
  test('has non-blocking sockets once it serves', async () => {
    const service = activate([tcp(), udp()])
    await service.report()
    expect(await service.serving()).toEqual([true, true])
  })

  test('calls those without a name unknown', async () => {
    const { fds } = await activate([tcp(), tcp()]).report()
    expect(fds.map(({ name }) => name)).toEqual(['unknown', 'unknown'])
  })

  test('passes neither sockets nor variables to its children', async () => {
    const report = await activate([tcp(), udp()], { names: 'a:b', child: true }).report()
    expect(report.variables).toEqual([])
    expect(report.child).toEqual({ descriptors: [], variables: [] })
  })

  test('passes no sockets to its children even where Node did not see to it', async () => {
    const report = await activate([tcp(), udp()], { clearCloexec: [3, 4], child: true }).report()
    expect(report.cloexec).toEqual(expect.arrayContaining([3, 4]))
    expect(report.child.descriptors).toEqual([])
  })

  test('keeps the variables on request', async () => {
    const { variables } = await activate([tcp()], { listen: { unsetEnvironment: false } }).report()
    expect(variables).toEqual(['LISTEN_FDS', 'LISTEN_PID'])
  })
})

describe('a service that was passed fewer sockets than announced', () => {
  test('never gets the epoll instance of Node in place of the only one', async () => {
    const { error, variables } = await activate([], { count: 1 }).report()
    expect(error).toMatchObject({ ...BAD_DESCRIPTOR, fd: 3, fdName: 'unknown' })
    expect(error!.message).toMatch(
      /^descriptor 3 \("unknown"\) was announced by LISTEN_FDS=1 but not passed: .* epoll instance/,
    )
    expect(variables).toEqual([])
  })

  test('never gets it in place of the last', async () => {
    const service = activate([tcp(), tcp()], { count: 3, names: 'a:b:c', clearCloexec: [3, 4] })
    const { error, cloexec } = await service.report()
    expect(error).toMatchObject({ ...BAD_DESCRIPTOR, fd: 5, fdName: 'c' })
    // As with libsystemd: the ones before the missing one cannot leak any more.
    expect(cloexec).toEqual(expect.arrayContaining([3, 4]))
  })

  test('does not get past it, whatever Node has opened behind', async () => {
    const { error } = await activate([], { count: 12 }).report()
    expect(error).toMatchObject({ ...BAD_DESCRIPTOR, fd: 3 })
  })

  test('does not get one in the middle that was closed meanwhile', async () => {
    const { error } = await activate([tcp(), tcp(), tcp()], { close: [4] }).report()
    expect(error).toMatchObject({ ...BAD_DESCRIPTOR, fd: 4, cause: 'EBADF' })
    expect(error!.message).toContain('not open')
  })
})

// The reason behind claimDescriptor(), asked of every Node that the tests run on.
test.each([
  [],
  ['--inspect=0'],
  ['--report-on-signal'],
  ['--trace-warnings', '--redirect-warnings=/dev/null'],
])('Node opens its epoll instance before anything else that it keeps: %s', async (...flags) => {
  const script = 'console.log(JSON.stringify({ fds: fs.readlinkSync("/proc/self/fd/3") }))'
  const service = new Service([process.execPath, ...flags, '-e', script])
  expect((await service.report()).fds).toBe('anon_inode:[eventpoll]')
})

describe('a service that was passed nothing', () => {
  test('gets nothing, and does not load the addon', async () => {
    const { fds, addonLoaded } = await new Service(serviceCommand()).report()
    expect({ fds, addonLoaded }).toEqual({ fds: [], addonLoaded: false })
  })

  test('gets nothing below a shell that does not exec, and does not load the addon', async () => {
    const script = 'LISTEN_PID=$$ LISTEN_FDS=1 "$@"; exit 0'
    const fd = tcp()
    const service = new Service(['sh', '-c', script, 'sh', ...serviceCommand()], { fds: [fd] })
    const { fds, addonLoaded, variables, pid } = await service.report()
    expect(pid).not.toBe(service.pid)
    expect({ fds, addonLoaded, variables }).toEqual({ fds: [], addonLoaded: false, variables: [] })
  })

  test('would load it for a socket', async () => {
    expect((await activate([tcp()]).report()).addonLoaded).toBe(true)
  })
})

function tcp(): number {
  return opened(bindSocket({ type: 'stream', address: localhost() }))
}

function udp(): number {
  return opened(bindSocket({ type: 'dgram', address: localhost() }))
}

function localhost(): { family: 'inet'; address: string; port: number } {
  return { family: 'inet', address: '127.0.0.1', port: 0 }
}

function opened(fd: number): number {
  onTestFinished(() => closeFd(fd))
  return fd
}

function portOf({ address }: ReportedFd): number {
  return Number(/:(\d+)$/.exec(address!)![1])
}
