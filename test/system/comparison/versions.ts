import type { Machine } from '../machine/machine.js'
import type { Program } from './rivals.js'

const COMMANDS: Record<Program, [string, ...string[]]> = {
  systemd: ['systemctl', '--version'],
  docker: ['dockerd', '--version'],
  containerd: ['containerd', '--version'],
  podman: ['podman', '--version'],
  conmon: ['conmon', '--version'],
  runc: ['runc', '--version'],
  crun: ['crun', '--version'],
}

export type Versions = Record<Program, string>

/** What the programs of a machine say of themselves, without what a distribution adds. */
export async function versionsOf(machine: Machine): Promise<Versions> {
  const pairs = Object.entries(COMMANDS).map(async ([program, [file, ...args]]) => {
    const { stdout } = await machine.run(file, args)
    const version = /\b\d+(?:\.\d+)*(?:-rc\d+)?/.exec(stdout)?.[0]
    if (version === undefined) throw new Error(`no version of ${program} in: ${stdout}`)
    return [program, version]
  })
  return Object.fromEntries(await Promise.all(pairs)) as Versions
}
