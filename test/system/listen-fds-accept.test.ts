import { describe, expect, test } from 'vitest'
import { PYTHON, works } from '../support/real-program.js'
import { ActivatedService } from './activation/activated-service.js'
import { expectPassed } from './activation/expect-passed.js'
import { curl } from './clients/curl.js'
import { python } from './clients/python.js'
import { describeOnEachSystemd } from './machines.js'

const hasClients = works('curl', '--version') && works(PYTHON, '--version')

describe.skipIf(!hasClients)('a socket as what a service is started for', () => {
  describeOnEachSystemd('Accept=yes and StandardInput=socket', (machine) => {
    const TCP = [
      ['IPv4', '127.0.0.1:8001', '127.0.0.1', 'inet', '127.0.0.1:8001'],
      ['IPv6', '[::1]:8001', '::1', 'inet6', '[::1]:8001'],
      ['IPv4, on a port for both', '8001', '127.0.0.1', 'inet6', '[::ffff:127.0.0.1]:8001'],
    ] as const

    test.each(TCP)('a connection over %s', async (_, listen, host, family, address) => {
      const service = await ActivatedService.write(machine(), 'each', {
        socket: `ListenStream=${listen}\nAccept=yes`,
        args: 'connection',
      })
      const { heard, port, cookie } = await talkOverTcp(host)
      expect(heard).toBe('connection heard something')
      await expectPassed(service, [
        {
          name: 'connection',
          kind: 'connection',
          family,
          address,
          remoteAddress: host,
          remotePort: port,
          ...(await toldCookie(cookie)),
        },
      ])
    })

    test.each(TCP)(
      'standard input: a connection over %s',
      async (_, listen, host, family, address) => {
        const service = await ActivatedService.write(machine(), 'inetd', {
          socket: `ListenStream=${listen}\nAccept=yes`,
          service: 'StandardInput=socket',
          args: 'connection-of-stdin',
        })
        const { heard, port, cookie } = await talkOverTcp(host)
        expect(heard).toBe('stdin heard something')
        const { fds, announced, child } = await service.report()
        expect(fds).toMatchObject([
          {
            name: 'stdin',
            kind: 'connection',
            family,
            address,
            remoteAddress: host,
            remotePort: port,
          },
        ])
        expect(fds[0]).toMatchObject({ cloexec: true, ...(await toldCookie(cookie)) })
        expect(announced).not.toHaveProperty('LISTEN_FDS')
        expect(child.descriptors).toEqual([])
      },
    )

    test.each([
      ['without a name', '', undefined],
      ['with a path', 'client.bind("/run/client.sock")', '/run/client.sock'],
      ['with an abstract name', 'client.bind("\\0client")', '@client'],
    ])('a connection over a unix socket, from a client %s', async (_, bind, remoteAddress) => {
      const service = await ActivatedService.write(machine(), 'each', {
        socket: 'ListenStream=/run/each.sock\nAccept=yes',
        args: 'connection',
      })
      const answer = await python(
        machine(),
        `
        client = socket.socket(socket.AF_UNIX)
        ${bind}
        client.connect("/run/each.sock")
        client.sendall(b"something")
        print(client.recv(100).decode())`,
      )
      expect(answer).toBe('connection heard something\n')
      const isTold = remoteAddress !== undefined && (await machine().systemdVersion()) >= 257
      await expectPassed(service, [
        {
          name: 'connection',
          kind: 'connection',
          family: 'unix',
          address: '/run/each.sock',
          ...(isTold && { remoteAddress }),
          ...(await toldCookie(expect.stringMatching(/^\d+$/))),
        },
      ])
    })

    test('standard input: a listening socket', async () => {
      const service = await ActivatedService.write(machine(), 'inetd', {
        socket: 'ListenStream=8001',
        service: 'StandardInput=socket',
        args: 'stdin',
      })
      for (const host of ['127.0.0.1', '[::1]']) {
        expect(await curl(machine(), `http://${host}:8001`)).toBe('stdin answers\n')
      }
      const { fds, announced, child } = await service.report()
      const address = '[::]:8001'
      expect(fds).toMatchObject([{ name: 'stdin', kind: 'tcp-listener', address, cloexec: true }])
      expect(announced).toEqual({})
      expect(child.descriptors).toEqual([])
    })

    async function talkOverTcp(
      host: string,
    ): Promise<{ heard: string; port: number; cookie: string }> {
      const answer = await python(
        machine(),
        `
        client = socket.create_connection(("${host}", 8001), 20)
        client.sendall(b"something")
        heard = client.recv(100).decode()
        port = client.getsockname()[1]
        ss = ["ss", "-tnHe", "state", "established", f"dport = :{port}"]
        cookie = int(subprocess.check_output(ss, text=True).split("sk:")[1].split()[0], 16)
        print(json.dumps({"heard": heard, "port": port, "cookie": str(cookie)}))`,
      )
      return JSON.parse(answer) as { heard: string; port: number; cookie: string }
    }

    /** The kernel's number of the socket, which the service is told since 258. */
    async function toldCookie(socketCookie: string): Promise<{ socketCookie?: string }> {
      return (await machine().systemdVersion()) >= 258 ? { socketCookie } : {}
    }
  })
})
