import { spawnSync } from 'node:child_process'
import { arch, cpus, loadavg, release } from 'node:os'
import { queueLength } from './network.js'

/** What a number cannot be read without. @returns {Record<string, string>} */
export function describeMachine() {
  const [processor] = cpus()
  const [systemd] = (spawnSync('systemd-notify', ['--version']).stdout?.toString() ?? '').split(
    '\n',
  )
  return {
    processor: `${cpus().length} × ${processor?.model.trim() ?? 'unknown'} (${arch()})`,
    kernel: `Linux ${release()}`,
    node: process.version,
    systemd: systemd || 'not here',
    'net.unix.max_dgram_qlen': `${queueLength()}`,
    load: loadavg()
      .map((each) => each.toFixed(2))
      .join(' '),
    date: new Date().toISOString().slice(0, 10),
  }
}

/** Whether others use so much of this machine that the numbers say something about them. @returns {string | undefined} */
export function busyMachine(load = loadavg()[0] ?? 0, processors = cpus().length) {
  if (load <= processors / 2) return undefined
  return `Warning: the load was ${load.toFixed(2)} at the start, on ${processors} processors. These numbers are not to be trusted.`
}
