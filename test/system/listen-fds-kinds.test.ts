import { describe, expect, test } from 'vitest'
import { PYTHON, works } from '../support/real-program.js'
import { ActivatedService, type PassedFd, type Sections } from './activation/activated-service.js'
import { expectPassed } from './activation/expect-passed.js'
import { curl } from './clients/curl.js'
import { python } from './clients/python.js'
import { describeOnEachSystemd } from './machines.js'

const hasClients = works('curl', '--version') && works(PYTHON, '--version')

/** Neither root nor the service's user. */
const SOMEBODY = { uid: 65534, gid: 65534 }
const AS_SOMEBODY = 'os.setgid(65534); os.setuid(65534)'

describe.skipIf(!hasClients)('what the service manager passes', () => {
  describeOnEachSystemd('to a service with a .socket unit', (machine) => {
    test.each<[string, string, Partial<PassedFd>, string[][]]>([
      [
        'an IPv4 address',
        'ListenStream=127.0.0.1:8001',
        { kind: 'tcp-listener', family: 'inet', address: '127.0.0.1:8001' },
        [['http://127.0.0.1:8001']],
      ],
      [
        'an IPv6 address',
        'ListenStream=[::1]:8002',
        { kind: 'tcp-listener', family: 'inet6', address: '[::1]:8002' },
        [['http://[::1]:8002']],
      ],
      [
        'a port, over IPv4 and IPv6',
        'ListenStream=8003',
        { kind: 'tcp-listener', family: 'inet6', address: '[::]:8003' },
        [['http://127.0.0.1:8003'], ['http://[::1]:8003']],
      ],
      [
        'a path',
        'ListenStream=/run/stream.sock',
        { kind: 'unix-listener', family: 'unix', address: '/run/stream.sock' },
        [['--unix-socket', '/run/stream.sock', 'http://localhost']],
      ],
      [
        'an abstract name',
        'ListenStream=@stream',
        { kind: 'unix-listener', family: 'unix', address: '@stream' },
        [['--abstract-unix-socket', 'stream', 'http://localhost']],
      ],
    ])('ListenStream= of %s', async (_, socket, passed, requests) => {
      const service = await write('web', { socket })
      for (const request of requests) {
        expect(await get(...request)).toBe('web.socket answers\n')
      }
      await expectPassed(service, [{ name: 'web.socket', listening: true, ...passed }])
    })

    test.each([
      ['an IPv4 address', '127.0.0.1:8004', 'inet', 'AF_INET', '127.0.0.1'],
      ['an IPv6 address', '[::1]:8004', 'inet6', 'AF_INET6', '::1'],
      ['a port', '[::]:8004', 'inet6', 'AF_INET', '127.0.0.1'],
    ])('ListenDatagram= of %s', async (_, address, family, clientFamily, host) => {
      const service = await write('udp', { socket: `ListenDatagram=${address}` })
      const answer = await python(
        machine(),
        `
        client = socket.socket(socket.${clientFamily}, socket.SOCK_DGRAM)
        client.settimeout(20)
        client.sendto(b"something", ("${host}", 8004))
        data, sender = client.recvfrom(100)
        print(data.decode(), "from", sender[0], sender[1])`,
      )
      expect(answer).toBe(`udp.socket heard something from ${host} 8004\n`)
      await expectPassed(service, [{ name: 'udp.socket', kind: 'udp', family, address }])
    })

    test('ListenDatagram= of a path: who sends, what is passed, and an answer', async () => {
      const service = await write('datagram', {
        socket: 'ListenDatagram=/run/datagram.sock\nPassCredentials=yes',
        service: 'User=daemon',
      })
      const { pid, answer, from } = await ask<{ pid: number; answer: string; from: string }>(`
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        client.settimeout(20)
        client.bind("\\0client")
        file = open("/run/passed", "w+")
        file.write("a file")
        file.seek(0)
        ${AS_SOMEBODY}
        # Nobody serves yet.
        passed = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()]))
        client.sendmsg([b"something"], [passed], 0, "/run/datagram.sock")
        answer, sender = client.recvfrom(100)
        print(json.dumps({"pid": os.getpid(), "answer": answer.decode(), "from": sender}))`)
      expect({ answer, from }).toEqual({
        answer: 'datagram.socket heard something',
        from: '/run/datagram.sock',
      })
      expect(await service.told('heard')).toEqual({
        name: 'datagram.socket',
        heard: 'something',
        sender: { pid, ...SOMEBODY },
        passed: ['a file'],
      })
      await expectPassed(service, [
        {
          name: 'datagram.socket',
          kind: 'unix-datagram',
          family: 'unix',
          address: '/run/datagram.sock',
        },
      ])
    })

    test('ListenDatagram= of a path: systemd-notify, which waits until its pipe is closed', async () => {
      const service = await write('notified', { socket: 'ListenDatagram=/run/notified.sock' })
      const env = { NOTIFY_SOCKET: '/run/notified.sock' }
      await service.systemctl('start')
      await machine().run('systemd-notify', ['--ready', '--status=fine'], { env })
      await expect
        .poll(() => service.told('heard'))
        .toMatchObject({
          heard: 'BARRIER=1',
          sender: { uid: 0, gid: 0 },
          passed: ['no file'],
        })
    })

    test('ListenSequentialPacket=: who is there, what is passed, both ways', async () => {
      const service = await write('packets', {
        socket: 'ListenSequentialPacket=/run/packets.sock',
        service: 'User=daemon',
      })
      await talk(service, 'SOCK_SEQPACKET')
      await expectPassed(service, [
        {
          name: 'packets.socket',
          kind: 'seqpacket-listener',
          family: 'unix',
          listening: true,
          address: '/run/packets.sock',
        },
      ])
    })

    test('ListenSequentialPacket= with Accept=yes', async () => {
      const service = await write('packet', {
        socket: 'ListenSequentialPacket=/run/packet.sock\nAccept=yes\nPassCredentials=yes',
        service: 'User=daemon',
      })
      await talk(service, 'SOCK_SEQPACKET')
      await expectPassed(service, [
        {
          name: 'connection',
          kind: 'seqpacket-connection',
          family: 'unix',
          address: '/run/packet.sock',
        },
      ])
    })

    test.each([
      ['no', 'unix-listener'],
      ['yes', 'connection'],
    ])(
      'ListenStream= of a path, with Accept=%s: who is there, and what is passed',
      async (accept, kind) => {
        const service = await write('bytes', {
          socket: `ListenStream=/run/bytes.sock\nPassCredentials=yes\nAccept=${accept}`,
          service: 'User=daemon',
          args: 'messages',
        })
        await talk(service, 'SOCK_STREAM')
        expect((await service.report()).fds).toMatchObject([{ fd: 3, kind, cloexec: true }])
      },
    )

    test('ListenFIFO=', async () => {
      const service = await write('fifo', { socket: 'ListenFIFO=/run/fifo' })
      await machine().run('sh', ['-c', 'echo something >/run/fifo'])
      expect(await service.told('heard')).toEqual({
        name: 'fifo.socket',
        heard: 'something\n',
        isWritable: true,
      })
      await machine().run('sh', ['-c', 'echo more >/run/fifo'])
      await expect.poll(() => service.told('heard')).toMatchObject({ heard: 'more\n' })
      await expectPassed(service, [{ name: 'fifo.socket', kind: 'fifo' }])
    })

    test('ListenSpecial= of a file in /proc', async () => {
      const service = await write('file', {
        socket: 'ListenSpecial=/proc/sys/kernel/hostname',
        // There is always something to read: its end would be the next start.
        args: 'stay',
      })
      await service.systemctl('start')
      const { stdout: hostName } = await machine().run('hostname')
      expect(await service.told('heard')).toEqual({
        name: 'file.socket',
        heard: hostName,
        isWritable: false,
      })
      await expectPassed(service, [{ name: 'file.socket', kind: 'special' }])
    })

    test('ListenSpecial= of a terminal, with Writable=yes', async () => {
      const service = await write('terminal', {
        socket: 'ListenSpecial=/dev/pts/0\nWritable=yes',
        isStarted: false,
      })
      const answer = await python(
        machine(),
        `
        terminal, other = pty.openpty()
        assert os.ttyname(other) == "/dev/pts/0"
        tty.setraw(other)
        subprocess.check_call(["systemctl", "start", "terminal.socket"])
        os.write(terminal, b"something")
        print(os.read(terminal, 100).decode())`,
      )
      expect(answer).toBe('terminal.socket heard something\n')
      await expectPassed(service, [{ name: 'terminal.socket', kind: 'special' }])
    })

    test('ListenNetlink= of kobject-uevent', async () => {
      const service = await write('uevent', { socket: 'ListenNetlink=kobject-uevent 1' })
      await machine().run('sh', ['-c', 'echo change >/sys/class/net/lo/uevent'])
      const { heard, sender } = (await service.told('heard')) as { heard: string; sender: object }
      expect(heard.split('\0')).toEqual(
        expect.arrayContaining(['change@/devices/virtual/net/lo', 'SUBSYSTEM=net', 'INTERFACE=lo']),
      )
      expect(sender).toEqual({ pid: 0, uid: 0, gid: 0 })
      await expectPassed(service, [{ name: 'uevent.socket', kind: 'netlink', family: 'netlink' }])
    })

    test('ListenNetlink= of route', async () => {
      // 16 is RTMGRP_IPV4_IFADDR.
      const service = await write('route', { socket: 'ListenNetlink=route 16' })
      await machine().run('ip', ['address', 'add', '127.0.0.9/8', 'dev', 'lo'])
      const message = Buffer.from(String((await service.told('heard'))['heard']), 'latin1')
      const RTM_NEWADDR = 20
      // In the order of bytes of the machine, which is this one.
      expect(new Uint16Array(message.buffer, message.byteOffset + 4, 1)[0]).toBe(RTM_NEWADDR)
      expect(message.includes(Buffer.from([127, 0, 0, 9]))).toBe(true)
      await expectPassed(service, [{ name: 'route.socket', kind: 'netlink', family: 'netlink' }])
    })

    // Clients of such a socket are in vsock.test.ts: most kernels let nobody in the same machine connect.
    test('ListenStream= of a vsock port, where the kernel has them', async () => {
      // They are not in the machine's own network.
      const port = 1_000_000 + process.pid
      const socket = `ListenStream=vsock::${port}`
      const service = await write('vsock', { socket, isStarted: false, args: 'stay' })
      if (!(await hasVsock())) {
        await expect(machine().systemctl('start', 'vsock.socket')).rejects.toThrow('vsock.socket')
        return
      }
      await machine().systemctl('start', 'vsock.socket')
      await service.systemctl('start')
      const ANY_CID = 0xffff_ffff
      await expectPassed(service, [
        {
          name: 'vsock.socket',
          kind: 'vsock-listener',
          family: 'vsock',
          listening: true,
          address: `vsock:${ANY_CID}:${port}`,
        },
      ])
    })

    test('ListenMessageQueue=', async () => {
      const service = await write('queue', {
        socket: 'ListenMessageQueue=/queue\nMessageQueueMaxMessages=5\nMessageQueueMessageSize=100',
      })
      await python(
        machine(),
        `
        queue = libc.mq_open(b"/queue", os.O_WRONLY)
        assert queue >= 0 and libc.mq_send(queue, b"something", 9, 3) == 0`,
      )
      expect(await service.told('heard')).toEqual({
        name: 'queue.socket',
        heard: 'something',
        priority: 3,
      })
      await expectPassed(service, [{ name: 'queue.socket', kind: 'message-queue' }])
    })

    function hasVsock(): Promise<boolean> {
      return ask(`
        try:
            socket.socket(40, socket.SOCK_STREAM).close()
            print("true")
        except OSError:
            print("false")`)
    }

    function write(name: string, sections: Sections): Promise<ActivatedService> {
      return ActivatedService.write(machine(), name, sections)
    }

    /** Runs a Python program in the machine that prints JSON. */
    async function ask<Answer>(program: string): Promise<Answer> {
      return JSON.parse(await python(machine(), program)) as Answer
    }

    /** Sends a message with a descriptor, and is answered with another one. */
    async function talk(service: ActivatedService, type: string): Promise<void> {
      const { pid, ...answer } = await ask<{ pid: number }>(`
        client = socket.socket(socket.AF_UNIX, socket.${type})
        client.settimeout(20)
        file = open("/run/passed", "w+")
        file.write("a file")
        file.seek(0)
        ${AS_SOMEBODY}
        client.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        client.connect("/run/${service.name}.sock")
        socket.send_fds(client, [b"something"], [file.fileno()])
        data, parts, _, _ = client.recvmsg(100, 100)
        parts = {kind: content for _, kind, content in parts}
        sender = struct.unpack("3i", parts[socket.SCM_CREDENTIALS])
        file = struct.unpack("i", parts[socket.SCM_RIGHTS])[0]
        print(json.dumps({
            "pid": os.getpid(),
            "data": data.decode(),
            "sender": sender,
            "passed": os.read(file, 100).decode(),
        }))`)
      expect(await service.told('heard')).toMatchObject({
        heard: 'something',
        sender: { pid, ...SOMEBODY },
        peer: { pid, ...SOMEBODY },
        passed: ['a file'],
      })
      const report = await service.report()
      const { stdout: hostName } = await machine().run('cat', ['/etc/hostname'])
      expect(answer).toEqual({
        data: `${report.fds[0]!.name} heard something`,
        sender: [report.pid, report.uid, expect.any(Number)],
        passed: hostName,
      })
      expect(report.uid).toBeGreaterThan(0)
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
