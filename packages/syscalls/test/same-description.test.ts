import { closeSync, openSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isNonBlocking, isSameDescription, setNonBlocking } from '../src/index.js'
import { native } from '../src/native.js'
import { Inbox, openSender } from './inbox.js'
import { canDeny, runDenied } from './sandbox.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

const O_PATH = 0o10000000
const EINVAL = -22
const NO_QUERY = 'fcntl:1=1027:EINVAL'
const NO_QUERY_OF_PATHS = 'fcntl:1=1027:EBADF'

function open(path: string, flags: string | number = 'r'): number {
  const fd = openSync(path, flags)
  onTestFinished(() => closeSync(fd))
  return fd
}

/** Another descriptor for the same thing: it was sent to ourselves. */
async function duplicate(fd: number): Promise<number> {
  const inbox = new Inbox()
  openSender(inbox.address).trySend(Buffer.from('x'), { fds: [fd] })
  const [message] = await inbox.until(1)
  return message!.fds[0]!
}

/** O_NONBLOCK is of the description: whoever shares it sees the change. */
function shareFlags(a: number, b: number): boolean {
  const before = isNonBlocking(b)
  setNonBlocking(a, !before)
  const changed = isNonBlocking(b) !== before
  setNonBlocking(a, before)
  return changed
}

describe('two descriptors', () => {
  test('that were duplicated are one description, and what was opened twice is not', async () => {
    const file = open('/dev/null')
    const again = open('/dev/null')
    const copy = await duplicate(file)
    const { readFd, writeFd } = new TestPipe()
    const pairs = [
      [file, file, true],
      [file, copy, true],
      [copy, file, true],
      [file, again, false],
      [again, copy, false],
      [readFd, writeFd, false],
      [readFd, await duplicate(readFd), true],
    ] as const
    for (const [a, b, same] of pairs) {
      expect(isSameDescription(a, b)).toBe(same)
      expect(shareFlags(a, b)).toBe(same)
    }
  })

  test('that name a path are compared too', async () => {
    const path = open('/', O_PATH)
    expect(isSameDescription(path, await duplicate(path))).toBe(true)
    expect(isSameDescription(path, open('/', O_PATH))).toBe(false)
  })

  test.runIf(native().dupfdQuery(0, 0) !== EINVAL)(
    'are compared alike by fcntl and by kcmp',
    async () => {
      const file = open('/dev/null')
      const path = open('/', O_PATH)
      const fds = [file, await duplicate(file), open('/dev/null'), path, await duplicate(path), 0]
      const pairs = fds.flatMap((a) => fds.map((b) => [a, b] as const))
      const byKcmp = pairs.map(([a, b]) => (native().kcmpFile(a, b) === 0 ? 1 : 0))
      expect(byKcmp).toContain(0)
      expect(pairs.map(([a, b]) => native().dupfdQuery(a, b))).toEqual(byKcmp)
    },
  )

  test('of which one is not open throw EBADF', () => {
    const fd = openSync('/dev/null', 'r')
    closeSync(fd)
    for (const closed of [fd, -1]) {
      const error = { code: 'EBADF', errno: -9, syscall: 'fcntl', address: `fd ${closed}` }
      expect(() => isSameDescription(closed, 0)).toThrow(expect.objectContaining(error))
      expect(() => isSameDescription(0, closed)).toThrow(expect.objectContaining(error))
    }
  })

  test.each([Number.NaN, 1.5, 2 ** 40, '1', undefined, null])('are not: %s', (wrong) => {
    const fd = wrong as number
    const error = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error
    expect(() => isSameDescription(fd, 0)).toThrow(error)
    expect(() => isSameDescription(0, fd)).toThrow(error)
  })

  describe.runIf(canDeny())('where the kernel', () => {
    /** What a program says of a descriptor and of its copy, and of another one. */
    async function say(rules: string[], flags = 0): Promise<string> {
      const source = `
        import { openSync } from 'node:fs'
        const [one, other] = [openSync('/', ${flags}), openSync('/', ${flags})]
        const socket = new s.DatagramSocket('unix')
        socket.bind({ family: 'unix' })
        const { localAddress: address } = s.describeSocket(socket.fd)
        const [{ fds }] = await new Promise((resolve, reject) => {
          socket.receive({ onMessages: resolve, onError: reject })
          socket.trySend(Buffer.from('x'), { address, fds: [one] })
        })
        const pairs = [[one, fds[0]], [fds[0], one], [one, other], [one, one]]
        console.log(pairs.map(([a, b]) => String(s.isSameDescription(a, b))).join())
        try { s.isSameDescription(one, 99) } catch ({ code }) { console.log(code) }
        socket.close()`
      const { stdout, stderr } = await runDenied(rules, source)
      return stdout + stderr
    }

    test.each([
      ['has all calls', [], 'true,true,false,true\nEBADF\n'],
      ['has fcntl alone', ['kcmp::ENOSYS'], 'true,true,false,true\nEBADF\n'],
      ['has kcmp alone', [NO_QUERY], 'true,true,false,true\nEBADF\n'],
      ['has none', [NO_QUERY, 'kcmp::ENOSYS'], 'undefined,undefined,undefined,undefined\nEBADF\n'],
      ['forbids it', [NO_QUERY, 'kcmp::EPERM'], 'undefined,undefined,undefined,undefined\nEBADF\n'],
    ])('%s', async (_what, rules, said) => {
      expect(await say(rules)).toBe(said)
    })

    test('says EBADF of what names a path, as before 6.10', async () => {
      expect(await say([NO_QUERY_OF_PATHS], O_PATH)).toBe('true,true,false,true\nEBADF\n')
    })
  })
})
