// What a service under the embedded manager does, as it happens.
import { line } from './report.js'

/**
 * Prints it, and counts.
 *
 * @param {import('@sdbridge/manager').Service} service
 */
export function follow(service) {
  /** @type {{ ready: number, pings: number, stopping: number, states: string[], exitCode: number | null }} */
  const seen = { ready: 0, pings: 0, stopping: 0, states: [], exitCode: null }
  service.on('state', (state, previous) => {
    seen.states.push(state)
    line(`      ${previous} -> ${state}`)
  })
  service.on('activation', () => line('      traffic on the socket'))
  service.on('notification', (assignments) => {
    if (assignments.ready) seen.ready++
    if (assignments.watchdog === true) seen.pings++
    if (assignments.stopping) seen.stopping++
    const { watchdog, status, ...rest } = assignments
    if (watchdog === true) return
    const keys = Object.keys(rest)
    const text = status === undefined ? '' : ` "${status}"`
    line(
      `      service: ${[...keys, ...(status === undefined ? [] : ['status'])].join(', ')}${text}`,
    )
  })
  service.on('refused', (reason) => line(`      refused: ${reason}`))
  service.on('exit', (code) => (seen.exitCode = code))
  return seen
}
