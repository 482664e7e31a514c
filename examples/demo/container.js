// A Node service in a container, with the bridge between it and its service manager: on a real systemd with runc where
// that works, otherwise under the embedded manager, with runc or in bare namespaces.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Service } from '@sdbridge/manager'
import {
  installContainerExample,
  installSdbridge,
} from '@sdbridge/test/system/install-container-example.js'
import { Machine } from '@sdbridge/test/system/machine/machine.js'
import { missingRequirements } from '@sdbridge/test/system/machine/requirements.js'
import { inside, repositoryBind } from '@sdbridge/test/system/repository.js'
import { withEnding } from './ending.js'
import { follow } from './follow.js'
import { request } from './load.js'
import { check, line, quote, title } from './report.js'

const SERVER = fileURLToPath(import.meta.resolve('@sdbridge/example-container-runc/server.mjs'))
const MAKE_BUNDLE = fileURLToPath(
  import.meta.resolve('@sdbridge/example-container-runc/make-bundle.js'),
)
const SDBRIDGE = join(
  dirname(createRequire(import.meta.url).resolve('@sdbridge/oci-shim/package.json')),
  'bin/sdbridge.js',
)
const GET = inside('test/system/fixtures/get.mjs')
const WATCHDOG_MS = 800

export async function showContainer() {
  title('A Node service in a container')
  const reasons = [
    ...(isOnPath('runc') ? [] : ['runc is not on this machine']),
    ...(await missingRequirements()),
  ]
  if (reasons.length === 0) return showRealSystemd()
  for (const reason of reasons) line(`not on a real systemd with runc: ${reason}`)
  await showEmbedded()
}

async function showRealSystemd() {
  const machine = await Machine.boot({ binds: [repositoryBind] })
  const show = async () => {
    line(
      `systemd ${await machine.systemdVersion()} is PID 1 of a throwaway machine; runc runs the container`,
    )
    await installSdbridge(machine)
    await machine.writeUnit('web.service.d/demo.conf', '[Service]\nWatchdogSec=1\n')
    await installContainerExample(machine)
    await walkThroughUnit(machine)
  }
  await withEnding(show, () => machine.halt())
}

/** @param {Machine} machine */
async function walkThroughUnit(machine) {
  const { ActiveState: before } = await machine.show('web.service', 'ActiveState')
  line(`systemctl start web.socket; web.service is ${before}`)
  await machine.systemctl('start', '--no-block', 'web.service')
  await machine.waitFor('web.service', { ActiveState: 'activating', SubState: 'start' })
  line('systemctl start web.service; it is activating, until the payload says READY=1')
  await machine.waitFor('web.service', { ActiveState: 'active', SubState: 'running' })
  const { StatusText: status } = await machine.show('web.service', 'StatusText')
  check(status !== '', `active; STATUS of the payload is "${status}"`)
  const { stdout: answer } = await machine.run(machine.nodePath, [GET, 'http://127.0.0.1:8080/'])
  check(
    answer.startsWith('Hello from process 1,'),
    `the socket of systemd serves from a container without network: ${answer.trim()}`,
  )
  line('systemctl status web.service:')
  quote(await machine.systemctl('status', 'web.service'))

  const pinged = await machine.show('web.service', 'WatchdogTimestampMonotonic')
  await sleep(2200)
  const watched = await machine.show('web.service')
  check(
    watched['WatchdogTimestampMonotonic'] !== pinged['WatchdogTimestampMonotonic'] &&
      watched['NRestarts'] === '0',
    `its pings satisfied the watchdog of ${watched['WatchdogUSec']} for two intervals`,
  )
  await machine.systemctl('reload', 'web.service')
  await machine.waitFor('web.service', { StatusText: 'Reloaded after 1 requests' })
  check(true, 'systemctl reload: STATUS is "Reloaded after 1 requests"')

  await machine.systemctl('stop', 'web.socket', 'web.service')
  const { ActiveState: after, Result: result } = await machine.show('web.service')
  check(after === 'inactive' && result === 'success', `systemctl stop: ${after}, result ${result}`)
  const { stdout: containers } = await machine.run('runc', ['list', '--quiet'])
  check(
    containers === '' && !existsSync(machine.path('/run/sdbridge')),
    'nothing is left: no container, no directory of the bridge',
  )
}

async function showEmbedded() {
  const directory = mkdtempSync(join(tmpdir(), 'sdbridge-demo-'))
  /** @type {Service | undefined} */
  let service
  const show = async () => {
    // The payload may have another user.
    chmodSync(directory, 0o755)
    const way = findWay(directory)
    if (way === undefined) return
    line(`${way.text}, under the embedded manager`)
    const base = mkdtempSync(join(directory, 'run-'))
    service = new Service({
      command: [process.execPath, SDBRIDGE, 'run', '--', ...way.command],
      type: 'notify-reload',
      env: { ...process.env, RUNTIME_DIRECTORY: base },
      sockets: [{ listen: '127.0.0.1:0', name: 'web' }],
      watchdogMs: WATCHDOG_MS,
      startTimeoutMs: 20_000,
      stopTimeoutMs: 20_000,
    })
    await walkThroughService(service)
    const left = [...readdirSync(base), ...way.findLeft()]
    check(
      left.length === 0,
      left.length === 0
        ? 'nothing is left: no container, no directory of the bridge'
        : `left: ${left.join(' ')}`,
    )
  }
  await withEnding(show, async () => {
    await service?.close()
    rmSync(directory, { recursive: true })
  })
}

/** @param {Service} service */
async function walkThroughService(service) {
  const seen = follow(service)
  const address = service.sockets[0]?.address
  const port = address !== undefined && 'port' in address ? address.port : 0
  const started = service.start()
  check(service.activeState === 'activating', 'activating, until the payload says READY=1')
  await started
  check(
    seen.ready === 1 && service.activeState === 'active',
    `active; STATUS of the payload is "${service.statusText}"`,
  )
  const answer = await request(port)
  check(
    answer.startsWith('Hello from process 1,'),
    `the manager's socket serves from namespaces without network: ${answer}`,
  )
  await sleep(2.5 * WATCHDOG_MS)
  check(
    seen.pings >= 4 && service.activeState === 'active',
    `${seen.pings} watchdog pings in 2 intervals of ${WATCHDOG_MS} ms`,
  )
  await service.reload()
  check(service.statusText.startsWith('Reloaded'), `reloaded: STATUS is "${service.statusText}"`)
  await service.close()
  check(
    seen.stopping === 1 && service.activeState === 'inactive' && seen.exitCode === 0,
    `stopped: STOPPING=1 seen, exit code ${seen.exitCode}, state ${service.activeState}`,
  )
}

/**
 * @typedef {object} Way
 * @property {string} text
 * @property {string[]} command of `sdbridge run`
 * @property {() => string[]} findLeft what is left of it afterwards
 */

/** @param {string} directory @returns {Way | undefined} */
function findWay(directory) {
  for (const find of [withRunc, withUnshare]) {
    const found = find(directory)
    if (typeof found !== 'string') return found
    line(`not with ${find === withRunc ? 'runc' : 'unshare'}: ${found}`)
  }
  line('skipped: there is nothing to run a container with')
  return undefined
}

/** @param {string} directory @returns {Way | string} */
function withRunc(directory) {
  if (!isOnPath('runc')) return 'it is not on this machine'
  if (process.getuid?.() !== 0) return 'it runs this bundle as root only'
  const bundle = join(directory, 'bundle')
  const made = spawnSync(process.execPath, [MAKE_BUNDLE, bundle], { encoding: 'utf8' })
  if (made.status !== 0) return made.stderr
  const failure = tryBundle(bundle, join(directory, 'trial'))
  if (failure !== undefined) return `it does not work here: ${failure}`
  const id = `sdbridge-demo-${process.pid}`
  return {
    text: 'runc runs the container',
    command: ['runc', 'run', '--bundle', bundle, id],
    findLeft: () =>
      spawnSync('runc', ['list', '--quiet'], { encoding: 'utf8' })
        .stdout.split('\n')
        .filter((each) => each === id),
  }
}

/** @param {string} bundle @param {string} trial @returns {string | undefined} why not */
function tryBundle(bundle, trial) {
  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'))
  const process = { ...config.process, args: [config.process.args[0], '--version'] }
  const root = { ...config.root, path: join(bundle, config.root.path) }
  spawnSync('mkdir', [trial])
  writeFileSync(join(trial, 'config.json'), JSON.stringify({ ...config, process, root }))
  const options = ['--bundle', trial, `sdbridge-trial-${globalThis.process.pid}`]
  const { status, stderr } = spawnSync('runc', ['run', ...options], { encoding: 'utf8' })
  return status === 0 ? undefined : stderr.trim().split('\n').at(-1)
}

/** @returns {Way | string} */
function withUnshare() {
  const isRoot = process.getuid?.() === 0
  const options = [
    ...(isRoot ? [] : ['--user', '--map-root-user']),
    ...['--pid', '--mount', '--net', '--uts', '--ipc'],
  ]
  const trial = spawnSync('unshare', [...options, 'sh', '-c', 'true & wait'], { encoding: 'utf8' })
  if (trial.error !== undefined) return 'it is not on this machine'
  if (trial.status !== 0) return `no namespaces for this user: ${trial.stderr.trim()}`
  return {
    text: `bare namespaces in place of a container engine${isRoot ? '' : ', without root'}`,
    command: ['unshare', ...options, 'sh', '-c', AS_INIT, 'sh', process.execPath, SERVER],
    findLeft: () => [],
  }
}

// What unshare starts is not in the new pid namespace, its children are: the first one is the payload, and the shell hands signals on.
const AS_INIT = `
{ mount -t proc proc /proc; LISTEN_PID=1 exec "$@"; } &
payload=$!
for signal in HUP TERM; do trap "kill -$signal $payload" $signal; done
while :; do
  wait $payload
  code=$?
  kill -0 $payload 2>/dev/null || exit $code
done
`

/** @param {string} program */
function isOnPath(program) {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  return folders.some((folder) => existsSync(join(folder, program)))
}
