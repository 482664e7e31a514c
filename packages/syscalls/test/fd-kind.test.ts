import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../test/support/real-program.js'
import { temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { closeFd, kindOfFd, pidfdOpen } from '../src/index.js'
import { openSocket } from './inbox.js'
import { run } from './program.js'
import { TestPipe } from '../../../test/support/test-pipe.js'

function open(path: string, flags = 'r'): number {
  const fd = openSync(path, flags)
  onTestFinished(() => closeSync(fd))
  return fd
}

describe('the kind of a descriptor', () => {
  test('is that of both ends of a pipe, and of one opened again', () => {
    const { readFd, writeFd } = new TestPipe()
    expect([readFd, writeFd].map(kindOfFd)).toEqual(['pipe', 'pipe'])
    expect(kindOfFd(open(`/proc/self/fd/${readFd}`))).toBe('pipe')
  })

  test('is that of a pidfd, of us and of another', () => {
    for (const pid of [process.pid, process.ppid]) {
      const pidfd = pidfdOpen(pid)
      onTestFinished(() => closeFd(pidfd))
      expect(kindOfFd(pidfd)).toBe('pidfd')
    }
  })

  test('is that of a socket', () => {
    expect(kindOfFd(openSocket().fd)).toBe('socket')
  })

  test.each(['cgroup', 'ipc', 'mnt', 'net', 'pid', 'pid_for_children', 'time', 'user', 'uts'])(
    'is that of a namespace: %s',
    (name) => {
      if (!existsSync(`/proc/self/ns/${name}`)) return
      expect(kindOfFd(open(`/proc/self/ns/${name}`))).toBe('namespace')
    },
  )

  test.each([
    ['/', 'directory'],
    ['/proc/self/fd', 'directory'],
    ['/proc/self/status', 'regular'],
    ['/dev/null', 'character-device'],
  ])('is that of a file: %s', (path, kind) => {
    expect(kindOfFd(open(path))).toBe(kind)
  })

  test('is that of files of a directory, also when they are gone', () => {
    const directory = temporaryDirectory()
    const [file, fifo] = [join(directory, 'file'), join(directory, 'fifo')]
    writeFileSync(file, '')
    execFileSync('mkfifo', [fifo])
    const fds = [open(file, 'r+'), open(fifo, 'r+'), open(directory)]
    expect(fds.map(kindOfFd)).toEqual(['regular', 'fifo', 'directory'])
    unlinkSync(file)
    unlinkSync(fifo)
    expect(fds.map(kindOfFd)).toEqual(['regular', 'fifo', 'directory'])
  })

  test.each([
    ...['pipe:[123]', 'socket:[1]', 'anon_inode:[pidfd]', 'anon_inode:[eventfd]', 'pid:[1]'],
    ...['memfd:x', 'memfd:x (deleted)', '\n', 'x\nmemfd:x (deleted)'],
  ])('is not what a file is called: %j', (name) => {
    const directory = temporaryDirectory()
    // As the whole of a relative path, too.
    mkdirSync(join(directory, 'deep'))
    for (const place of [directory, join(directory, 'deep')]) {
      const file = join(place, name)
      writeFileSync(file, '')
      const fd = open(file, 'r+')
      expect(kindOfFd(fd)).toBe('regular')
      unlinkSync(file)
      expect(kindOfFd(fd)).toBe('regular')
    }
  })

  test('is had of a file whose path is too long to tell', async () => {
    const index = new URL('../dist/index.js', import.meta.url).href
    const look = `import(${JSON.stringify(index)}).then(({ kindOfFd }) => console.log(kindOfFd(3)))`
    const name = 'd'.repeat(250)
    const script = `root=$PWD; i=0
      while [ $i -lt 20 ]; do mkdir ${name} && cd -P ${name} || exit; i=$((i + 1)); done
      exec 3>x && cd "$root" && rm -r ${name} && exec "$@"`
    const args = ['-c', script, 'sh', process.execPath, '-e', look]
    const outcome = await run('sh', args, { cwd: temporaryDirectory() })
    expect(outcome).toEqual({ code: 0, signal: null, stdout: 'regular\n', stderr: '' })
  })

  test.each([99_999, -1])('of %d, which is not open, is EBADF', (fd) => {
    expect(() => kindOfFd(fd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  test.each([1.5, Number.NaN, '1', undefined, null])('of %s is a TypeError', (fd) => {
    expect(() => kindOfFd(fd as number)).toThrow(TypeError)
  })
})

describe.runIf(works(PYTHON, '--version'))('the kind of what only other programs make', () => {
  test('is the word of the kernel', async () => {
    const program = `
import ctypes, json, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
mask = ctypes.create_string_buffer(128)
fds = {
  'memfd': os.memfd_create('x'),
  'memfd named like a pipe': os.memfd_create('pipe:[1]'),
  'memfd that may be sealed': os.memfd_create('', os.MFD_ALLOW_SEALING),
  'eventfd': os.eventfd(0),
  'eventpoll': libc.epoll_create1(0),
  'timerfd': libc.timerfd_create(1, 0),
  'signalfd': libc.signalfd(-1, mask, 0),
  'inotify': libc.inotify_init1(0),
  'socket': socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).detach(),
  'internet socket': socket.socket().detach(),
  'terminal': os.openpty()[0],
  'path only': os.open('/etc', os.O_PATH),
}
assert min(fds.values()) > 2, fds
for fd in fds.values(): os.set_inheritable(fd, True)
out = subprocess.run([sys.argv[1], '-e', sys.argv[2], json.dumps(fds)], close_fds=False)
sys.exit(out.returncode)`
    const index = new URL('../dist/index.js', import.meta.url).href
    const look = `import(${JSON.stringify(index)}).then(({ kindOfFd }) => {
      const fds = Object.entries(JSON.parse(process.argv[1]))
      console.log(JSON.stringify(Object.fromEntries(fds.map(([name, fd]) => [name, kindOfFd(fd)]))))
    })`
    const outcome = await run(PYTHON, ['-c', program, process.execPath, look])
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(outcome.stdout)).toEqual({
      memfd: 'memfd',
      'memfd named like a pipe': 'memfd',
      'memfd that may be sealed': 'memfd',
      eventfd: 'eventfd',
      eventpoll: 'eventpoll',
      timerfd: 'timerfd',
      signalfd: 'signalfd',
      inotify: 'inotify',
      socket: 'socket',
      'internet socket': 'socket',
      terminal: 'character-device',
      'path only': 'directory',
    })
  })
})

const canMakeDevice = isRoot() && works('sh', '-c', 'f=$(mktemp -u); mknod "$f" b 7 0 && rm "$f"')
test.runIf(canMakeDevice)('a block device is one, without being opened', () => {
  const device = join(temporaryDirectory(), 'device')
  execFileSync('mknod', [device, 'b', '7', '0'])
  const fd = openSync(device, 0o10000000 /* O_PATH */)
  onTestFinished(() => closeSync(fd))
  expect(kindOfFd(fd)).toBe('block-device')
})
