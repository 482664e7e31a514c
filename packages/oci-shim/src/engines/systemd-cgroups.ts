import type { EngineCommand } from './engine-command.js'

/** Whether runc or crun are told to have cgroups made by the host's service manager. */
export function usesSystemdCgroups({ globalOptions }: EngineCommand): boolean {
  return globalOptions.some(
    ({ name, value }) =>
      (name === 'systemd-cgroup' && value !== 'false') ||
      (name === 'cgroup-manager' && value === 'systemd'),
  )
}
