import { formatSocketAddress } from '@sdbridge/syscalls'
import type { RunOptions } from './cli-options.js'
import { Service } from './service.js'
import { followTimeline } from './timeline.js'

/** Runs a service in the foreground until it has ended for good; returns the exit code for `sdrun`. */
export async function runService(options: RunOptions): Promise<number> {
  const service = new Service(options.service)
  const log = options.quiet ? () => {} : (line: string) => process.stderr.write(`sdrun: ${line}\n`)
  // Whoever read our messages is gone (sdrun … 2>&1 | head): the service is not.
  process.stderr.on('error', () => {})
  followTimeline(service, log)

  const ended = endOf(service, options, log)
  try {
    for (const { name, address } of service.sockets) {
      log(`listening on ${formatSocketAddress(address)} (${name})`)
    }
    if (options.now) attempt(service.start(), log)
    if (waits(options)) service.activateOnTraffic()
    await ended
  } finally {
    await service.close()
  }
  return service.result === 'success' ? 0 : 1
}

/** Follows signals and states until the service is to be closed. */
function endOf(service: Service, options: RunOptions, log: (line: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let restarting = 0
    const onState = (): void => {
      if (restarting > 0) return
      const { state } = service
      // With sockets, a service that ended well waits for the next connection.
      if (state === 'failed' || (state === 'dead' && !waits(options))) resolve()
    }
    service.on('state', onState)
    process.on('SIGHUP', () => attempt(service.reload(), log))
    process.on('SIGUSR2', () => {
      restarting++
      const restarted = service.restart().finally(() => {
        restarting--
        onState()
      })
      attempt(restarted, log)
    })
    let asked = false
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (asked) attempt(service.kill(), log)
        asked = true
        resolve()
      })
    }
    // Whatever ends this process otherwise takes the service along, which is in a session of its own.
    process.on('exit', () => void service.kill())
  })
}

function waits({ service }: RunOptions): boolean {
  return (service.sockets?.length ?? 0) > 0
}

function attempt(operation: Promise<void>, log: (line: string) => void): void {
  operation.catch((error: unknown) => log(error instanceof Error ? error.message : String(error)))
}
