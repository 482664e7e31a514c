import { describe, expect, test } from 'vitest'
import { works } from '../support/real-program.js'
import { ActivatedService } from './activation/activated-service.js'
import { socat } from './clients/socat.js'
import { describeOnEachSystemd } from './machines.js'

const GET = 'GET / HTTP/1.0\r\n\r\n'

describe.skipIf(!works('socat', '-V'))('socat', () => {
  describeOnEachSystemd('talks to', (machine) => {
    test.each([
      ['ListenStream=127.0.0.1:8020', 'TCP4:127.0.0.1:8020'],
      ['ListenStream=[::1]:8021', 'TCP6:[::1]:8021'],
      ['ListenStream=/run/socat.sock', 'UNIX-CONNECT:/run/socat.sock'],
      ['ListenStream=@socat', 'ABSTRACT-CONNECT:socat'],
    ])('a server on %s', async (socket, address) => {
      const service = await ActivatedService.write(machine(), 'served', { socket })
      const until = `${service.name}.socket answers`
      expect(await talk(address, { says: GET, until })).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    })

    test.each([
      ['ListenDatagram=127.0.0.1:8022', 'UDP4:127.0.0.1:8022'],
      ['ListenDatagram=[::1]:8023', 'UDP6:[::1]:8023'],
      ['ListenDatagram=@socat', 'ABSTRACT-SENDTO:socat,bind=client'],
      ['ListenSequentialPacket=/run/socat.sock', 'UNIX-CONNECT:/run/socat.sock,type=5'],
    ])('messages on %s', async (socket, address) => {
      const service = await ActivatedService.write(machine(), 'messages', { socket })
      const until = `${service.name}.socket heard something`
      expect(await talk(address, { says: 'something', until })).toBe(until)
    })

    test.each([
      ['ListenStream=127.0.0.1:8024', 'TCP4:127.0.0.1:8024'],
      ['ListenStream=/run/socat.sock', 'UNIX-CONNECT:/run/socat.sock'],
      ['ListenSequentialPacket=/run/socat.sock', 'UNIX-CONNECT:/run/socat.sock,type=5'],
    ])('one of the processes of %s with Accept=yes', async (listen, address) => {
      const socket = `${listen}\nAccept=yes`
      await ActivatedService.write(machine(), 'each', { socket, args: 'connection' })
      const until = 'connection heard something'
      expect(await talk(address, { says: 'something', until })).toBe(until)
    })

    function talk(address: string, words: { says: string; until: string }): Promise<string> {
      const path = /:(\/[^,]+)/.exec(address)?.[1]
      const reachable = path === undefined ? address : address.replace(path, machine().path(path))
      return socat(machine(), reachable, words)
    }
  })
})
