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
