import { writeFile } from 'node:fs/promises'
import { RECORD_START_STATE } from '@sdbridge/syscalls'
import { expect, test } from 'vitest'
import type { Machine } from './machine/machine.js'
import { describeOnEachSystemd } from './machines.js'
import { inside } from './repository.js'

/** What a program inherits, as one text; then it stays. */
const REPORT = `grep -E '^(SigBlk|SigIgn)' /proc/self/status
grep -E 'open files' /proc/self/limits
for fd in 0 1 2 3 4 5 6 7 8; do [ -e /proc/$$/fd/$fd ] && echo "fd $fd"; done
echo "pid $$ listens for $LISTEN_PID"
exec sleep infinity`

describeOnEachSystemd('a Node service', (machine) => {
  test('catches the SIGRTMIN+3 that stops it', async () => {
    await machine().writeUnit(
      'real-time.service',
      `[Service]
Type=notify
KillSignal=SIGRTMIN+3
ExecStopPost=/bin/echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS
ExecStart=${machine().nodePath} ${inside('test/system/fixtures/stop-by-real-time-signal.mjs')}`,
    )
    await machine().systemctl('start', 'real-time.service')
    await machine().systemctl('stop', 'real-time.service')
    await machine().waitForOutput('real-time.service', 'caught\nsuccess exited 0\n')
  })

  test.each([
    ['defaults', 'systemd’s defaults', ''],
    [
      'soft-limit',
      'a soft limit of its own, and SIGPIPE not ignored',
      'LimitNOFILE=333:4444\nIgnoreSIGPIPE=no',
    ],
    ['one-limit', 'one limit, soft and hard', 'LimitNOFILE=5555'],
  ])(
    'becomes a program that inherits what it would without Node: %s',
    async (name, _what, settings) => {
      const plain = await reportOf(machine(), `${name}-plain`, settings, `/bin/sh /run/report.sh`)
      const become = inside('test/system/fixtures/become.mjs')
      const command = `/bin/sh /run/launch.sh ${machine().nodePath} ${become} /bin/sh /run/report.sh`
      const through = await reportOf(machine(), `${name}-node`, settings, command)
      expect(through.text).toBe(plain.text)
      expect(through.text).toMatch(/fd 0\nfd 1\nfd 2\nfd 3\npid MAIN listens for MAIN/)
    },
  )
})

/** Runs a program in a socket-activated service, and returns what it found, with its main pid replaced. */
async function reportOf(
  machine: Machine,
  name: string,
  settings: string,
  command: string,
): Promise<{ text: string }> {
  await writeFile(machine.path('/run/report.sh'), REPORT)
  await writeFile(machine.path('/run/launch.sh'), `${RECORD_START_STATE}exec "$@"\n`)
  await machine.writeUnit(`${name}.socket`, `[Socket]\nListenStream=/run/${name}.sock`)
  await machine.writeUnit(`${name}.service`, `[Service]\n${settings}\nExecStart=${command}`)
  await machine.systemctl('start', `${name}.socket`)
  await machine.systemctl('start', `${name}.service`)
  await machine.waitForOutput(`${name}.service`, 'listens for')
  const { MainPID } = await machine.show(`${name}.service`, 'MainPID')
  const text = machine.output(`${name}.service`).replaceAll(MainPID!, 'MAIN')
  await machine.systemctl('stop', `${name}.service`, `${name}.socket`)
  return { text }
}
