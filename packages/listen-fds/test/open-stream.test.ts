import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, closeSync, constants, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PYTHON } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { Program } from './program.js'
import { connected, tcp } from './sockets.js'

const READ = `
const [inherited] = listenFds()
const stream = inherited.openStream()
stream.on('data', (data) => say(String(data))).on('end', () => say('end')).on('close', () => say('close'))
stream.on('error', ({ code }) => say(code))
`

describe('a FIFO', () => {
  test('is read from one writer after the other, and never ends', async () => {
    const { fd, path } = fifo()
    const program = new Program(READ, { fds: [fd] })
    appendFileSync(path, 'one')
    expect(await program.said()).toBe('one')
    appendFileSync(path, 'two')
    expect(await program.said()).toBe('two')
    expect(program.process.exitCode).toBeNull()
  })

  test('does not keep a process whose stream is destroyed', async () => {
    const program = new Program(`${READ} stream.destroy()`, { fds: [fifo().fd] })
    expect(await program.said()).toBe('close')
    expect(await program.ended()).toBe(0)
  })
})

describe('a special file', () => {
  test('of /proc is read to its end', async () => {
    const fd = opened('/proc/sys/kernel/ostype', 'r')
    const program = new Program(READ, { fds: [fd] })
    expect(await program.said()).toBe('Linux\n')
    expect(await program.said()).toBe('end')
    expect(await program.said()).toBe('close')
    expect(await program.ended()).toBe(0)
  })

  test('that is regular is read from where it is', async () => {
    const path = join(temporaryDirectory(), 'file')
    writeFileSync(path, 'before and after')
    const fd = opened(path, 'r')
    readSync(fd, Buffer.alloc(7), 0, 7, null)
    const program = new Program(READ, { fds: [fd] })
    expect(await program.said()).toBe('and after')
    expect(await program.said()).toBe('end')
  })

  test('that never ends can be closed in the middle', async () => {
    const program = new Program(
      `const stream = listenFds()[0].openStream()
       stream.once('data', (data) => stream.destroy().once('close', () => say(data.every((byte) => byte === 0))))`,
      { fds: [opened('/dev/zero', 'r')] },
    )
    expect(await program.said()).toBe(true)
    expect(await program.ended()).toBe(0)
  })

  test('on which nothing comes does not keep a process from its end', async () => {
    const script = `
import fcntl, os, subprocess, sys
main, other = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in os.openpty())
os.dup2(other, 3, inheritable=True)
source = '''
import { listenFds } from '@sdbridge/listen-fds'
const stream = listenFds()[0].openStream()
stream.once('data', (data) => { console.log(String(data).trim()); process.exit() })
stream.write('ready')
'''
service = subprocess.Popen(['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', 'sh', *sys.argv[1:], '--input-type=module', '-e', source],
    pass_fds=[3])
print(os.read(main, 5).decode(), flush=True)
os.write(main, b'hello\\n')
print(service.wait())`
    const output = execFileSync(PYTHON, ['-c', script, process.execPath], {
      cwd: new URL('..', import.meta.url),
      encoding: 'utf8',
    })
    expect(output).toBe('ready\nhello\n0\n')
  })
})

describe('a connection', () => {
  test('is read and answered', async () => {
    const { fd, client } = await connected()
    const program = new Program(
      `connection().openStream().on('data', function (data) { this.end('<' + data + '>') })`,
      {
        fds: [fd],
      },
    )
    client.write('hello')
    expect((await client.toArray()).join('')).toBe('<hello>')
    expect(await program.ended()).toBe(0)
  })

  test('whose client has gone is read to its end', async () => {
    const { fd, client } = await connected()
    client.end('good-bye')
    await once(client, 'finish')
    const program = new Program(READ, { fds: [fd] })
    expect(await program.said()).toBe('good-bye')
    expect(await program.said()).toBe('end')
  })
})

test('what is no stream is refused, and stays what it was', async () => {
  const program = new Program(
    `const [web] = listenFds()
     try { web.openStream() } catch ({ code }) { say(code) }
     say(web.duplicate().listening)`,
    { fds: [tcp().fd] },
  )
  expect(await program.said()).toBe('ERR_LISTEN_FDS_WRONG_KIND')
  expect(await program.said()).toBe(true)
})

function fifo(): { fd: number; path: string } {
  const path = join(temporaryDirectory(), 'fifo')
  execFileSync('mkfifo', [path])
  return { fd: opened(path, constants.O_RDWR | constants.O_NONBLOCK), path }
}

function opened(path: string, flags: string | number): number {
  const fd = openSync(path, flags)
  onTestFinished(() => closeSync(fd))
  return fd
}
