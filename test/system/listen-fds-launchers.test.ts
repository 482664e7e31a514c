import { execFileSync } from 'node:child_process'
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findNpmPackage } from '../support/npm-package.js'
import { works } from '../support/real-program.js'
import { ActivatedService, type Sections } from './activation/activated-service.js'
import { curl } from './clients/curl.js'
import { describeOnEachSystemd } from './machines.js'
import { inside } from './repository.js'

/** Where this computer's npm is in a machine, and pm2 with all that it needs. */
const NPM = '/srv/npm'
const PM2 = '/srv/pm2'
const hasNpm = works('npm', '--version')
const pm2 = hasNpm ? await findNpmPackage('pm2') : undefined

describe.skipIf(!hasNpm || pm2 === undefined)('ExecStart= of something', () => {
  describeOnEachSystemd(
    'that starts node',
    (machine) => {
      test('a shell that waits for it: it gets nothing, and a warning says why', async () => {
        const service = await write('shell', (command) => `/bin/sh -c '${command}; true'`)
        await expectNothing(service, 'sh -c ')
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

      test('pm2-runtime, which starts one process: it gets nothing, and a warning says why', async () => {
        const service = await write(
          'pm2',
          (command) => pm2Runtime(command.replace(machine().nodePath, '').trim()),
          'Environment=PM2_HOME=/run/pm2',
        )
        await expectNothing(service, `node ${PM2}/node_modules/pm2/bin/pm2-runtime start`)
      })

      test('pm2-runtime, which starts a cluster: its processes share the socket, and so does one that comes later', async () => {
        await machine().writeUnit(
          'web.socket',
          '[Socket]\nListenStream=127.0.0.1:8001\nFileDescriptorName=web\n',
        )
        await machine().writeUnit(
          'web.service',
          `[Service]
Environment=PM2_HOME=/run/pm2
ExecStart=${pm2Runtime(`${inside('test/system/fixtures/web-service.mjs')} -i 2`)}
LimitCORE=0
`,
        )
        onTestFinished(async () => void (await machine().systemctl('stop', 'web.*')))
        await machine().systemctl('start', 'web.socket')
        const [first, second] = await answering(new Set())
        await machine().run('kill', ['-KILL', first!])
        const later = await answering(new Set([first!]))
        expect(later).toContain(second)
        const main = await machine().systemctl('show', '--value', '--property=MainPID', 'web')
        expect([first, ...later]).not.toContain(main.trim())
      })

      /** The ids of two processes that answer, other than those that have ended. */
      async function answering(ended: ReadonlySet<string>): Promise<string[]> {
        const pids = new Set<string>()
        await expect
          .poll(
            async () => {
              const [pid = ''] = (await curl(machine(), 'http://127.0.0.1:8001')).split(' ')
              return pids.add(ended.has(pid) ? '' : pid).size
            },
            { timeout: 30_000 },
          )
          .toBe(2)
        return [...pids]
      }

      function pm2Runtime(args: string): string {
        return `${machine().nodePath} ${PM2}/node_modules/pm2/bin/pm2-runtime start ${args}`
      }

      function write(
        name: string,
        launch: NonNullable<Sections['launch']>,
        settings = '',
      ): Promise<ActivatedService> {
        return ActivatedService.write(machine(), name, {
          socket: 'ListenStream=127.0.0.1:8001',
          // What says that it is ready is not the main process, and must not have ended when the manager looks for it.
          service: `NotifyAccess=all\n${settings}`,
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
    pm2 === undefined
      ? {}
      : {
          binds: [
            { path: npmFolder(), target: NPM },
            { path: dirname(dirname(pm2)), target: PM2 },
          ],
        },
  )
})

function npmFolder(): string {
  const command = execFileSync('/bin/sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim()
  return dirname(dirname(realpathSync(command)))
}
