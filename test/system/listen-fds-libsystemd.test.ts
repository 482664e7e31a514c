import { beforeAll } from 'vitest'
import {
  canCompare,
  scratch,
  testAgreement,
} from '../../packages/listen-fds/test/libsystemd/agreement.js'
import type { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import { inside } from './repository.js'

if (canCompare()) {
  describeOnEachSystemd(
    'libsystemd agrees on',
    (machine) => {
      let version: number
      beforeAll(async () => {
        version = await machine().systemdVersion()
      })

      testAgreement(() => ({
        node: machine().nodePath,
        folder: inside('packages/listen-fds/test/libsystemd'),
        version,
        enter: (command) => enterWithQueues(machine(), command),
      }))
    },
    { binds: [scratch] },
  )
}

// The message queues were made outside: so not into the machine's IPC namespace.
function enterWithQueues(machine: Machine, command: readonly string[]): string[] {
  const script = 'mkdir -p /dev/mqueue; mount -t mqueue mqueue /dev/mqueue; exec "$@"'
  const { file, fileArgs } = machine.enter('sh', ['-ec', script, 'sh', ...command])
  return [file, ...fileArgs.filter((argument) => argument !== '--ipc')]
}
