import { execFileSync } from 'node:child_process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON, works } from '../../../test/support/real-program.js'
import { bindSocket, closeFd, duplicateFd, socketCookie } from '../src/index.js'
import { openSocket } from './inbox.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

/** A TCP socket that listens, for one test. */
function listen(): number {
  const address = { family: 'inet', address: '127.0.0.1', port: 0 } as const
  const fd = bindSocket({ type: 'stream', address })
  onTestFinished(() => closeFd(fd))
  return fd
}

describe('the cookie of a socket', () => {
  test('is the same for a duplicate, and no other socket has it', () => {
    const [one, other] = [listen(), openSocket().fd]
    const duplicate = duplicateFd(one)
    onTestFinished(() => closeFd(duplicate))
    expect(socketCookie(one)).toBeGreaterThan(0n)
    expect(socketCookie(duplicate)).toBe(socketCookie(one))
    expect(socketCookie(other)).not.toBe(socketCookie(one))
  })

  test.runIf(works(PYTHON, '--version'))('is the same in a process that inherits it', () => {
    const fd = listen()
    // SO_COOKIE; with all 64 bits, and read in another language.
    const source = `import socket; s = socket.socket(fileno=3); print(*s.getsockopt(1, 57, 8)); s.detach()`
    const stdio = ['ignore', 'pipe', 'inherit', fd] as const
    const bytes = execFileSync(PYTHON, ['-c', source], { stdio: [...stdio], encoding: 'utf8' })
    const theirs = Buffer.from(bytes.trim().split(' ').map(Number)).readBigUInt64LE()
    expect(socketCookie(fd)).toBe(theirs)
  })

  test('is not had of what is no socket, or not open', () => {
    const { readFd } = new TestPipe()
    const wrong = (fd: number): void => void socketCookie(fd)
    expect(() => wrong(readFd)).toThrow(
      expect.objectContaining({ code: 'ENOTSOCK', syscall: 'getsockopt' }),
    )
    expect(() => wrong(-1)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(() => wrong(Number.NaN)).toThrow(TypeError)
  })
})
