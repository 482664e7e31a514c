import { describe, expect, test } from 'vitest'
import { PYTHON, works } from '../support/real-program.js'
import { ActivatedService, type Sections } from './activation/activated-service.js'
import { expectPassed } from './activation/expect-passed.js'
import { curl } from './clients/curl.js'
import { python } from './clients/python.js'
import { describeOnEachSystemd } from './machines.js'

const hasClients = works('curl', '--version') && works(PYTHON, '--version')

describe.skipIf(!hasClients)('settings of a unit', () => {
  describeOnEachSystemd('which change what is passed', (machine) => {
    test('several of one unit, in the order of its lines, and several units', async () => {
      const service = await write('many', {
        socket: `FileDescriptorName=web
          ListenStream=127.0.0.1:8007
          ListenStream=/run/many.sock
          ListenDatagram=127.0.0.1:8007
          ListenStream=127.0.0.1:8006`,
        secondSocket: 'FileDescriptorName=admin\nListenStream=@admin',
      })
      const answers = await Promise.all([
        get('http://127.0.0.1:8006'),
        get('http://127.0.0.1:8007'),
        get('--unix-socket', '/run/many.sock', 'http://localhost'),
        get('--abstract-unix-socket', 'admin', 'http://localhost'),
      ])
      expect(answers.map((answer) => answer.replace(' answers\n', ''))).toEqual([
        'web',
        'web',
        'web',
        'admin',
      ])
      const { fds } = await service.report()
      expect(fds.map(({ fd }) => fd)).toEqual([3, 4, 5, 6, 7])
      // In which order the units are is not promised.
      const admin = fds.find(({ name }) => name === 'admin')
      expect(admin!.address).toBe('@admin')
      expect([3, 7]).toContain(admin!.fd)
      expect(fds.filter(({ name }) => name === 'web').map(({ address }) => address)).toEqual([
        '127.0.0.1:8007',
        '/run/many.sock',
        '127.0.0.1:8007',
        '127.0.0.1:8006',
      ])
    })

    test('one name in two units', async () => {
      const service = await write('twins', {
        socket: 'FileDescriptorName=web\nListenStream=127.0.0.1:8008',
        secondSocket: 'FileDescriptorName=web\nListenStream=127.0.0.1:8009',
      })
      for (const port of [8008, 8009]) {
        expect(await get(`http://127.0.0.1:${port}`)).toBe('web answers\n')
      }
      const { fds } = await service.report()
      expect(fds.map(({ name, address }) => `${name} ${address}`).toSorted()).toEqual([
        'web 127.0.0.1:8008',
        'web 127.0.0.1:8009',
      ])
    })

    test('DynamicUser=yes, PrivateNetwork=yes and an empty file system', async () => {
      const service = await write('confined', {
        socket: 'ListenStream=127.0.0.1:8010\nListenStream=/run/confined.sock',
        service: `DynamicUser=yes
          PrivateNetwork=yes
          RestrictAddressFamilies=AF_UNIX
          SystemCallFilter=@system-service
          SystemCallErrorNumber=EPERM
          TemporaryFileSystem=/
          BindReadOnlyPaths=/bin /lib /lib64 /srv /usr /run/systemd/notify`,
      })
      expect(await get('http://127.0.0.1:8010')).toBe('confined.socket answers\n')
      expect(await get('--unix-socket', '/run/confined.sock', 'http://localhost')).toBe(
        'confined.socket answers\n',
      )
      expect((await service.report()).uid).toBeGreaterThan(60_000)
    })

    test('PrivatePIDs=yes, since 257: nothing, where LISTEN_PIDFDID names another process', async () => {
      const service = await write('first', {
        socket: 'ListenStream=127.0.0.1:8011',
        service: 'PrivatePIDs=yes',
      })
      await service.systemctl('start')
      const { fds, pid, announced, isOwnPidfdId, left } = await service.report()
      expect(left).toEqual({})
      expect(announced).toMatchObject({ LISTEN_PID: `${pid}`, LISTEN_FDS: '1' })
      expect(pid === 1).toBe((await machine().systemdVersion()) >= 257)
      expect(fds).toHaveLength(isOwnPidfdId === false ? 0 : 1)
    })

    test('PrivatePIDs=yes with UnsetEnvironment=LISTEN_PIDFDID', async () => {
      const service = await write('first', {
        socket: 'ListenStream=127.0.0.1:8011',
        service: 'PrivatePIDs=yes\nUnsetEnvironment=LISTEN_PIDFDID',
      })
      expect(await get('http://127.0.0.1:8011')).toBe('first.socket answers\n')
      expect((await service.report()).announced).not.toHaveProperty('LISTEN_PIDFDID')
    })

    test('NonBlocking=yes: that is how sockets arrive, and they serve all the same', async () => {
      const service = await write('fast', {
        socket: 'ListenStream=8005\nListenDatagram=8005\nListenStream=/run/fast.sock',
        service: 'NonBlocking=yes',
      })
      expect(await get('http://127.0.0.1:8005')).toBe('fast.socket answers\n')
      const { fds } = await service.report()
      expect(fds.map(({ kind, nonBlocking }) => [kind, nonBlocking])).toEqual([
        ['tcp-listener', true],
        ['udp', true],
        ['unix-listener', true],
      ])
    })

    test('FileDescriptorStoreMax=: what is stored comes after the sockets', async () => {
      const service = await write('store', {
        socket: 'ListenStream=127.0.0.1:8012\nFileDescriptorName=web',
        service: 'FileDescriptorStoreMax=1',
        args: 'store',
      })
      await service.systemctl('start')
      expect((await service.report()).fds.map(({ name }) => name)).toEqual(['web'])
      await service.systemctl('restart')
      expect(await get('http://127.0.0.1:8012')).toBe('web answers\n')
      await expectPassed(service, [
        {
          name: 'web',
          kind: 'tcp-listener',
          family: 'inet',
          listening: true,
          address: '127.0.0.1:8012',
        },
        { name: 'stored-file', kind: 'special' },
      ])
    })

    test('OpenFile=, since 253: a file, and a connection to a unix socket', async () => {
      const service = await write('opened', {
        service: `OpenFile=/etc/hostname:file:read-only
          OpenFile=/run/server.sock:server`,
      })
      const isKnown = (await machine().systemdVersion()) >= 253
      const answer = await python(
        machine(),
        `
        server = socket.socket(socket.AF_UNIX)
        server.settimeout(20)
        server.bind("/run/server.sock")
        server.listen()
        subprocess.check_call(["systemctl", "start", "--no-block", "opened.service"])
        ${isKnown ? '' : 'sys.exit()'}
        connection, _ = server.accept()
        connection.sendall(b"something")
        print(connection.recv(100).decode())`,
      )
      expect(answer).toBe(isKnown ? 'server heard something\n' : '')
      if (isKnown) {
        await expectPassed(service, [
          { name: 'file', kind: 'special' },
          { name: 'server', kind: 'connection', family: 'unix' },
        ])
      } else expect((await service.report()).fds).toEqual([])
    })

    function write(name: string, sections: Sections): Promise<ActivatedService> {
      return ActivatedService.write(machine(), name, sections)
    }

    /** Paths are those of the machine. */
    function get(...args: string[]): Promise<string> {
      return curl(
        machine(),
        ...args.map((arg) => (arg.startsWith('/') ? machine().path(arg) : arg)),
      )
    }
  })
})
