/** `ActiveState` of systemd: what all units have in common. */
export type ActiveState =
  'inactive' | 'activating' | 'active' | 'reloading' | 'deactivating' | 'failed'

/** `SubState` of systemd for a service, as far as the embedded manager goes. */
export type SubState =
  | 'dead'
  | 'start'
  | 'running'
  | 'reload-signal'
  | 'reload-notify'
  | 'stop-watchdog'
  | 'stop-sigterm'
  | 'stop-sigkill'
  | 'failed'

/** `Result` of systemd: why the service is no longer running. */
export type ServiceResult =
  'success' | 'protocol' | 'timeout' | 'exit-code' | 'signal' | 'watchdog' | 'resources'

export const ACTIVE_STATE: Readonly<Record<SubState, ActiveState>> = {
  dead: 'inactive',
  start: 'activating',
  running: 'active',
  'reload-signal': 'reloading',
  'reload-notify': 'reloading',
  'stop-watchdog': 'deactivating',
  'stop-sigterm': 'deactivating',
  'stop-sigkill': 'deactivating',
  failed: 'failed',
}
