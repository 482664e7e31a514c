// @ts-check
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, existsSync, openSync } from 'node:fs'

const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
const SOURCE = `
import ctypes, os, sys
class Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ('flags', 'maxmsg', 'msgsize', 'curmsgs')] + [('rest', ctypes.c_long * 4)]
libc = ctypes.CDLL(None, use_errno=True)
name = b'/sdbridge-%d' % os.getpid()
attributes = Attributes(0, int(sys.argv[1]), int(sys.argv[2]))
queue = libc.mq_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, ctypes.byref(attributes))
if queue < 0: sys.exit(os.strerror(ctypes.get_errno()))
libc.mq_unlink(name)
print(queue, flush=True)
sys.stdin.read()
`

/**
 * Makes a POSIX message queue, which has no name by then, and opens it. Node cannot make one itself.
 *
 * @param {{ messages?: number, bytes?: number }} [options] how many messages it holds, and how long they can be
 * @returns {Promise<number>} Open for both directions, and the caller's.
 * @throws {NodeJS.ErrnoException} `ENOENT` if there is no Python
 */
export async function openMessageQueue({ messages = 4, bytes = 64 } = {}) {
  // Nothing that is preloaded here.
  const env = { PATH: process.env.PATH }
  const args = ['-c', SOURCE, `${messages}`, `${bytes}`]
  const maker = spawn(PYTHON, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  await once(maker, 'spawn')
  const closed = once(maker, 'close')
  try {
    const [line] = await Promise.race([once(maker.stdout, 'data'), closed])
    const flags = constants.O_RDWR | constants.O_NONBLOCK
    return openSync(`/proc/${maker.pid}/fd/${Number(line)}`, flags)
  } finally {
    maker.stdin.end()
    await closed
  }
}
