import { execFileSync } from 'node:child_process'
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { works } from '../support/real-program.js'
import { ActivatedService, type Sections } from './activation/activated-service.js'
import { describeOnEachSystemd } from './machines.js'

/** Where this computer's npm is in a machine. */
const NPM = '/srv/npm'
const hasNpm = works('npm', '--version')

describe.skipIf(!hasNpm)('ExecStart= of something', () => {
  describeOnEachSystemd(
    'that starts node',
    (machine) => {
      test('a shell that waits for it: it gets nothing, and a warning says why', async () => {
        const service = await write('shell', (command) => `/bin/sh -c '${command}; true'`)
        await expectNothing(service, '/bin/sh -c ')
      })

      test('npm start: it gets nothing, and a warning says why', async () => {
        const service = await write('npm', (command) => {
          mkdirSync(machine().path('/run/app'))
          const manifest = JSON.stringify({ scripts: { start: command } })
          writeFileSync(machine().path('/run/app/package.json'), manifest)
          return `${machine().nodePath} ${NPM}/bin/npm-cli.js start --prefix /run/app`
        })
        await expectNothing(service, 'npm start')
      })

      test('a shell that becomes it: it gets the socket', async () => {
        const service = await write('exec', (command) => `/bin/sh -c 'exec ${command}'`)
        await service.systemctl('start')
        expect((await service.report()).fds).toMatchObject([{ fd: 3, name: 'exec.socket' }])
        expect(machine().output('exec.service')).toBe('')
      })

      function write(
        name: string,
        launch: NonNullable<Sections['launch']>,
      ): Promise<ActivatedService> {
        return ActivatedService.write(machine(), name, {
          socket: 'ListenStream=127.0.0.1:8001',
          // What says that it is ready is not the main process, and must not have ended when the manager looks for it.
          service: 'NotifyAccess=all',
          args: 'stay',
          launch,
        })
      }

      async function expectNothing(service: ActivatedService, launcher: string): Promise<void> {
        await service.systemctl('start')
        const { fds, pid, announced, left } = await service.report()
        expect(fds).toEqual([])
        expect(announced).toMatchObject({
          LISTEN_FDS: '1',
          LISTEN_FDNAMES: `${service.name}.socket`,
        })
        expect(left).toEqual({})
        await machine().waitForOutput(service.name, 'LISTEN_FDS_LAUNCHER')
        expect(machine().output(service.name)).toContain(
          `the service manager passed 1 descriptor(s) to process ${announced['LISTEN_PID']} (${launcher}`,
        )
        expect(announced['LISTEN_PID']).not.toBe(`${pid}`)
      }
    },
    hasNpm ? { binds: [{ path: npmFolder(), target: NPM }] } : {},
  )
})

function npmFolder(): string {
  const command = execFileSync('/bin/sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim()
  return dirname(dirname(realpathSync(command)))
}
