import { formatSocketAddress } from '@sdbridge/syscalls'
import type { RunOptions } from './cli-options.js'
import { Service } from './service.js'
import { followTimeline } from './timeline.js'

/** Runs a service in the foreground until it has ended for good; returns the exit code for `sdrun`. */
export async function runService(options: RunOptions): Promise<number> {
  const service = new Service(options.service)
  const log = options.quiet ? () => {} : (line: string) => process.stderr.write(`sdrun: ${line}\n`)
  followTimeline(service, log)

  let restarting = false
  const ended = new Promise<void>((resolve) => {
    service.on('state', (state) => {
      // With sockets, a service that ended well waits for the next connection.
      if (state === 'dead' && (restarting || waits(options))) return
      if (state === 'failed' || state === 'dead') resolve()
    })
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
  const onReload = (): void => attempt(service.reload(), log)
  const onRestart = (): void => {
    restarting = true
    attempt(
      service.restart().finally(() => (restarting = false)),
      log,
    )
  }
  process.on('SIGHUP', onReload).on('SIGUSR2', onRestart)

  try {
    for (const { name, address } of service.sockets) {
      log(`listening on ${formatSocketAddress(address)} (${name})`)
    }
    if (options.now) attempt(service.start(), log)
    if (waits(options)) service.activateOnTraffic()
    await ended
  } finally {
    await service.close()
    process.off('SIGHUP', onReload).off('SIGUSR2', onRestart)
  }
  return service.result === 'success' ? 0 : 1
}

function waits({ service }: RunOptions): boolean {
  return (service.sockets?.length ?? 0) > 0
}

function attempt(operation: Promise<void>, log: (line: string) => void): void {
  operation.catch((error: unknown) => log(error instanceof Error ? error.message : String(error)))
}
