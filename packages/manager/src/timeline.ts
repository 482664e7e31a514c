import { formatSocketAddress } from '@sdbridge/syscalls'
import type { Service } from './service.js'

/** Writes what happens to a service, a line each, with the time since now in seconds. */
export function followTimeline(service: Service, write: (line: string) => void): void {
  const began = performance.now()
  const log = (text: string): void => {
    write(`${((performance.now() - began) / 1000).toFixed(3).padStart(7)}  ${text}`)
  }
  service.on('state', (state) => log(describeState(service, state)))
  service.on('activation', ({ name, address }) =>
    log(`traffic on ${formatSocketAddress(address)} (${name}) starts the service`),
  )
  service.on('spawn', (pid) => log(`main process is pid ${pid}`))
  service.on('notification', (assignments) =>
    log(`service says ${describeAssignments(assignments)}`),
  )
  service.on('refused', (reason) => log(`ignored: ${reason}`))
  service.on('signal', (signal, reason) => log(`${signal} to the service: ${reason}`))
  service.on('exit', (code, signal) =>
    log(
      signal === null
        ? `main process ended with exit code ${code}`
        : `main process ended by ${signal}`,
    ),
  )
}

function describeState(service: Service, state: string): string {
  const result = state === 'failed' ? `, result ${service.result}` : ''
  return `-> ${service.activeState} (${state}${result})`
}

function describeAssignments(assignments: object): string {
  return Object.entries(assignments)
    .map(([key, value]) => (value === true ? key : `${key}=${JSON.stringify(value, bigintAsText)}`))
    .join(', ')
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
