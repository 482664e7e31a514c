// The example service under the embedded manager: no systemd, no root.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Service } from '@sdbridge/manager'
import { withEnding } from './ending.js'
import { follow } from './follow.js'
import { request, startLoad } from './load.js'
import { check, line, title } from './report.js'

const SERVER = fileURLToPath(import.meta.resolve('@sdbridge/example-http-service/server.js'))
const WATCHDOG_MS = 800

export async function showEmbedded() {
  title('A Node service under the embedded manager (no systemd needed)')
  const directory = mkdtempSync(join(tmpdir(), 'sdbridge-demo-'))
  const greetingFile = join(directory, 'greeting.txt')
  /** @type {Service | undefined} */
  let service
  const show = async () => {
    writeFileSync(greetingFile, 'Hello')
    service = new Service({
      command: [process.execPath, SERVER],
      type: 'notify-reload',
      env: { ...process.env, GREETING_FILE: greetingFile },
      sockets: [{ listen: '127.0.0.1:0', name: 'http' }],
      watchdogMs: WATCHDOG_MS,
      startTimeoutMs: 20_000,
      stopTimeoutMs: 20_000,
    })
    await walkThrough(service, greetingFile)
  }
  await withEnding(show, async () => {
    await service?.close()
    rmSync(directory, { recursive: true })
  })
}

/**
 * @param {Service} service
 * @param {string} greetingFile
 */
async function walkThrough(service, greetingFile) {
  const seen = follow(service)
  const address = service.sockets[0]?.address
  const port = address !== undefined && 'port' in address ? address.port : 0

  line(`the manager listens on 127.0.0.1:${port}; the service is ${service.activeState}`)
  service.activateOnTraffic()
  const first = await request(port)
  check(first.startsWith('Hello'), `the first request started it and was answered: ${first}`)
  // It is being started; the answer may be here before READY=1 is.
  await service.start()
  check(seen.ready === 1 && service.activeState === 'active', 'READY=1 made it active')
  const pid = service.mainPid

  await sleep(3.5 * WATCHDOG_MS)
  check(
    seen.pings >= 6 && service.mainPid === pid,
    `${seen.pings} watchdog pings in 3 intervals of ${WATCHDOG_MS} ms, and it still runs`,
  )
  check(service.statusText.includes('served'), `STATUS is "${service.statusText}"`)

  writeFileSync(greetingFile, 'Good day')
  await service.reload()
  const reloaded = await request(port)
  check(
    reloaded.startsWith('Good day') && service.mainPid === pid,
    `reloaded in the same process: ${reloaded}`,
  )

  const load = startLoad(port, 8)
  await sleep(300)
  await service.restart()
  await sleep(300)
  const { answered, lost, pids } = await load.stop()
  check(
    lost.length === 0 && service.mainPid !== pid,
    `restarted under load: ${answered} requests answered by ${pids.size} processes, ${lost.length} lost` +
      (lost.length > 0 ? ` (${lost[0]})` : ''),
  )

  await service.close()
  check(
    seen.stopping === 2 && service.activeState === 'inactive',
    `stopped: STOPPING=1 seen, exit code ${seen.exitCode}, state ${service.activeState}`,
  )
}
