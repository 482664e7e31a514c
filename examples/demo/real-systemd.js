// The same service, with its unit files, under a real systemd in a throwaway machine. Needs root.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { changeGreeting, installExample } from '@sdbridge/test/system/install-example.js'
import { Machine } from '@sdbridge/test/system/machine/machine.js'
import { missingRequirements } from '@sdbridge/test/system/machine/requirements.js'
import { inside, repositoryBind } from '@sdbridge/test/system/repository.js'
import { withEnding } from './ending.js'
import { check, line, quote, title } from './report.js'

const LOAD = inside('examples/demo/load.js')
const GET = inside('test/system/fixtures/get.mjs')

// Half a request, until standard input ends.
const SLOW_REQUEST = `
  const socket = require('node:net').connect(8080, '127.0.0.1')
  socket.write('GET / HTTP/1.1\\r\\n', () => process.stdout.write('sent'))
  process.stdin.resume().on('end', () => process.exit())
`

/** @returns {Promise<void>} */
export async function showRealSystemd() {
  title('The same service under a real systemd')
  const missing = await missingRequirements()
  if (missing.length > 0) {
    for (const reason of missing) line(`skipped: ${reason}`)
    return
  }
  const machine = await Machine.boot({ binds: [repositoryBind] })
  const show = async () => {
    line(`systemd ${await machine.systemdVersion()} is PID 1 of a throwaway machine`)
    await walkThrough(machine)
  }
  await withEnding(show, () => machine.halt())
}

/** @param {Machine} machine */
async function walkThrough(machine) {
  await installExample(machine)
  const before = await machine.show('app.service', 'ActiveState')
  line(`systemctl start app.socket; app.service is ${before['ActiveState']}`)

  const first = await get(machine)
  check(first.startsWith('Hello'), `the first request started it and was answered: ${first}`)
  await machine.waitFor('app.service', { ActiveState: 'active', SubState: 'running' })
  const { MainPID: pid, StatusText } = await machine.show('app.service', 'MainPID', 'StatusText')
  check(StatusText !== '', `READY=1 made it active; STATUS is "${StatusText}"`)

  await sleep(3200)
  const watched = await machine.show('app.service', 'MainPID', 'NRestarts', 'WatchdogUSec')
  check(
    watched['MainPID'] === pid && watched['NRestarts'] === '0',
    `its pings satisfied the watchdog of ${watched['WatchdogUSec']} for three intervals`,
  )

  await changeGreeting(machine, 'Good day')
  await machine.systemctl('reload', 'app.service')
  await machine.waitFor('app.service', { ActiveState: 'active', MainPID: String(pid) })
  const reloaded = await get(machine)
  check(reloaded.startsWith('Good day'), `reloaded in the same process: ${reloaded}`)
  line('systemctl status app.service:')
  quote(await machine.systemctl('status', 'app.service'))

  const { answered, lost, pids } = await underLoad(machine, () =>
    machine.systemctl('restart', 'app.service'),
  )
  check(
    lost.length === 0 && answered > 0 && pids.length === 2,
    `restarted under load: ${answered} requests answered by ${pids.length} processes, ${lost.length} lost`,
  )

  // A request that is under way keeps it from ending before anybody can look.
  const slow = machine.spawn(machine.nodePath, ['-e', SLOW_REQUEST])
  await once(slow.stdout, 'data')
  await machine.systemctl('stop', '--no-block', 'app.socket', 'app.service')
  const status = 'Finishing the requests under way'
  await machine.waitFor('app.service', { ActiveState: 'deactivating', StatusText: status })
  check(true, `systemctl stop: STOPPING=1 with STATUS "${status}"`)
  slow.stdin.end()
  await machine.waitFor('app.service', { ActiveState: 'inactive', Result: 'success' })
  check(true, 'inactive, result success')
}

/** @param {Machine} machine */
async function get(machine) {
  const { stdout } = await machine.run(machine.nodePath, [GET, 'http://127.0.0.1:8080/'])
  return stdout.trim()
}

/**
 * @param {Machine} machine
 * @param {() => Promise<unknown>} action
 * @returns {Promise<{ answered: number, lost: string[], pids: string[] }>}
 */
async function underLoad(machine, action) {
  const load = machine.spawn(machine.nodePath, [LOAD, '8080'])
  const output = text(load.stdout)
  const end = once(load, 'close')
  await sleep(500)
  await action()
  await sleep(500)
  load.stdin.end()
  await end
  return JSON.parse(await output)
}
