/** What systemd finds mounted where it is a container's first process: it may not mount these itself. */
export const SYSTEMD_TMPFS: readonly { readonly path: string; readonly mode: string }[] = [
  { path: '/run', mode: '755' },
  { path: '/run/lock', mode: '1777' },
  { path: '/tmp', mode: '1777' },
]

/** Where systemd's container interface has what is the host's, and the name of the notification socket there. */
export const SYSTEMD_HOST_DIRECTORY = '/run/host'
export const SYSTEMD_SOCKET = 'notify'

/** What asks systemd to end, as a machine is halted. */
export const SYSTEMD_STOP_SIGNAL = 'SIGRTMIN+3'
