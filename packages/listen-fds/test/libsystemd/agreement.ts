import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { isRoot, PYTHON, works } from '../../../../test/support/real-program.js'

/** Where both are asked: on this machine, or in another root file system. */
export interface Place {
  /** The node there, and this folder. */
  node: string
  folder: string
  /** Of systemd. */
  version: number
  /** The command line that runs a command there, with the descriptors that it inherits; it sees {@link scratch} there, too. */
  enter(command: readonly string[]): readonly string[]
}

interface Comparison {
  /** Whether that libsystemd knows LISTEN_PIDFDID. */
  knowsPidfdId: boolean
  /** How often there was each answer, by the name of the function. */
  outcomes: Record<string, Record<string, number>>
  disagreements: object[]
}

/** A folder of this host for what the tests make. */
export const scratch: string = mkdtempSync(join(tmpdir(), 'sdbridge-test-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const PASS = fileURLToPath(new URL('../fixtures/pass.py', import.meta.url))
const TIMEOUT_MS = 300_000
const mayUnshare = isRoot() && works('unshare', '--ipc', '--mount', 'true')
/** For the environments; a failure tells it. */
const SEED = Number(process.env['SDBRIDGE_SEED'] ?? 2016)

/** Whether there is what makes the descriptors and the program that asks libsystemd. Says what is missing. */
export function canCompare(): boolean {
  const imports = 'import ctypes, os; os.eventfd'
  return works('cc', '--version') && works(PYTHON, '-c', imports)
}

/** Declares the tests that give libsystemd and this package the same questions. */
export function testAgreement(getPlace: () => Place): void {
  const vsock = works(PYTHON, '-c', VSOCK) ? ['vsock listener'] : []
  const kinds = [...KINDS, ...(mayUnshare ? KINDS_FOR_ROOT : []), ...vsock]

  test(
    'listenFds() in thousands of environments',
    () => {
      const fds = Array<string>(5).fill('character device')
      const { knowsPidfdId, outcomes, disagreements } = compare(getPlace(), 'environments', fds)
      // Otherwise the variable was left out.
      expect(knowsPidfdId).toBe(getPlace().version >= 259)
      expect(disagreements, `with SDBRIDGE_SEED=${SEED}`).toEqual([])
      const answers = outcomes['sd_listen_fds_with_names']!
      expect(Object.keys(answers).toSorted()).toEqual([
        '0',
        '1',
        '2',
        '3',
        '4',
        '5',
        'EBADF',
        'invalid',
      ])
    },
    TIMEOUT_MS,
  )

  describe('of each kind of descriptor', () => {
    let comparison: Comparison | undefined
    const compared = (): Comparison => (comparison ??= compare(getPlace(), 'descriptors', kinds))

    test.each([
      ['isFifo()', 'sd_is_fifo', ['0', '1', EBADF, ELOOP, ENAMETOOLONG]],
      ['isSpecial()', 'sd_is_special', ['0', '1', EBADF, ELOOP, ENAMETOOLONG]],
      ['isMq()', 'sd_is_mq', ['0', '1', EBADF, ENOENT, EINVAL]],
      [
        'isSocket()',
        'sd_is_socket',
        ['0', '1', EBADF, EINVAL, ...(mayUnshare ? [EOPNOTSUPP] : [])],
      ],
      ['isSocketInet()', 'sd_is_socket_inet', ['0', '1', EBADF, EINVAL]],
      ['isSocketSockaddr()', 'sd_is_socket_sockaddr', ['0', '1', EBADF, EINVAL]],
      ['isSocketUnix()', 'sd_is_socket_unix', ['0', '1', EBADF, EINVAL]],
    ])(
      '%s',
      (_ours, name, some) => {
        const { outcomes, disagreements } = compared()
        expect(disagreements.filter((each) => Reflect.get(each, 'name') === name)).toEqual([])
        expect(Object.keys(outcomes[name]!)).toEqual(expect.arrayContaining(some))
      },
      TIMEOUT_MS,
    )
  })
}

const [EBADF, ENOENT, EINVAL, ENAMETOOLONG, ELOOP, EOPNOTSUPP] = [
  '-9',
  '-2',
  '-22',
  '-36',
  '-40',
  '-95',
] as const
const VSOCK = 'import socket; socket.socket(socket.AF_VSOCK).bind((0xffffffff, 0xffffffff))'

/** Of fixtures/pass.py. */
const KINDS = [
  ...['tcp4 listener', 'tcp6 listener', 'tcp6 listener on all addresses', 'bound tcp4'],
  ...['unbound tcp6', 'tcp connection', 'tcp6 bound to an IPv4 address', 'reset tcp connection'],
  ...['unix listener', 'relative unix listener', 'unix socket of 108 bytes'],
  ...['unix listener with a name outside UTF-8', 'abstract listener', 'named abstract listener'],
  ...['long abstract datagram', 'unbound unix', 'unbound unix datagram', 'unix connection'],
  ...['accepted unix connection', 'unix datagram', 'seqpacket listener', 'seqpacket connection'],
  ...['udp4', 'udp6', 'netlink', 'fifo', 'pipe', 'regular file', 'deleted file', 'memfd'],
  ...['path-only fifo', 'path-only directory', 'path-only socket', 'character device'],
  ...['proc file', 'directory', 'message queue', 'write-only message queue', 'eventfd', 'epoll'],
]
const KINDS_FOR_ROOT = [
  ...['raw', 'packet', 'xdp', 'path-only device', 'named message queue', 'path-only message queue'],
]

function compare(place: Place, table: string, kinds: readonly string[]): Comparison {
  const script = join(place.folder, 'compare.mjs')
  const question = [table, compiled(), JSON.stringify(kinds), String(SEED)]
  const command = place.enter([place.node, script, ...question])
  const passing = [PYTHON, PASS, JSON.stringify(kinds), ...command]
  const [program = '', ...args] = mayUnshare ? [...withQueues(), ...passing] : passing
  const { status, stdout, stderr } = spawnSync(program, args, {
    env: { PATH: process.env['PATH'], PASS_DIRECTORY: mkdtempSync(join(scratch, 'files-')) },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`compare.mjs ended with ${status}: ${stderr}`)
  return JSON.parse(stdout) as Comparison
}

function compiled(): string {
  const program = join(scratch, 'answers')
  const flags = ['-std=c11', '-O1', '-Wall', '-Wextra', '-Werror']
  if (!existsSync(program)) {
    execFileSync('cc', [...flags, join(FOLDER, 'answers.c'), '-o', program, '-ldl'])
  }
  return program
}

// Message queues of its own, which end with the command, and their names where libsystemd looks for them, on a machine that does
// not show them, too.
function withQueues(): string[] {
  const script = `mount -t overlay overlay -o "lowerdir=$0:/dev" /dev
    mount -t mqueue mqueue /dev/mqueue
    exec "$@"`
  const layer = mkdtempSync(join(scratch, 'dev-'))
  mkdirSync(join(layer, 'mqueue'))
  return ['unshare', '--ipc', '--mount', 'sh', '-ec', script, layer]
}
