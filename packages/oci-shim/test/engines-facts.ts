import type { BridgeFacts } from '../src/engines/launch.js'

/** What a bridge has, for tests of command lines. */
export function bridgeFacts(changes: Partial<BridgeFacts> = {}): BridgeFacts {
  return {
    notifyDirectory: '/run/web/notify',
    containerDirectory: '/run/notify',
    privateDirectory: '/run/web/private',
    variables: { NOTIFY_SOCKET: '/run/notify/notify.sock' },
    fdNames: [],
    unit: 'web.service',
    containerName: 'sdbridge-web',
    cgroupParent: undefined,
    selinux: false,
    request: undefined,
    systemd: false,
    isClientMain: false,
    ...changes,
  }
}
