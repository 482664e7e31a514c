import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { describeOnEachSystemd } from './machines.js'
import { inside } from './repository.js'

const PROGRAM = inside('test/system/fixtures/barrier-to-file.mjs')

describeOnEachSystemd('under systemd-notify --fork', (getMachine) => {
  test('a service is ready, and its barriers are unsupported: no descriptors are taken there', async () => {
    const machine = getMachine()
    const command = ['--fork', '--', machine.nodePath, PROGRAM, '/run/outcome']
    if ((await machine.systemdVersion()) < 258) {
      await expect(machine.run('systemd-notify', command)).rejects.toThrow(/unrecognized option/)
      return
    }
    // The service keeps stderr, and with that the end of the command's output away.
    const shell = 'exec systemd-notify "$@" 2>/dev/null'
    const { stdout } = await machine.run('sh', ['-c', shell, 'sh', ...command])
    expect(await readFile(machine.path('/run/outcome'), 'utf8')).toBe('unsupported')
    await machine.run('kill', [stdout.trim()])
  })
})
