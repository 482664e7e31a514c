import { NotifyError } from './errors.js'

/**
 * The one clear error for a message that could not be sent: where to, why, and what whoever runs the service can do about it.
 *
 * @param value The value of `$NOTIFY_SOCKET`.
 * @param what Which message.
 */
export function sendFailure(value: string, what: string, cause: unknown): NotifyError {
  if (cause instanceof NotifyError) return cause
  const { code = '', message = String(cause) } = cause as { code?: string; message?: string }
  const remedy = REMEDIES[code]?.(value) ?? ''
  return new NotifyError(
    code === 'ETIMEDOUT' ? 'ERR_NOTIFY_TIMEOUT' : 'ERR_NOTIFY_SEND_FAILED',
    `NOTIFY_SOCKET is '${value}', but ${what} could not be sent there: ${message}${remedy && `. ${remedy}`}`,
    { cause, address: value },
  )
}

const SANDBOX =
  'A sandbox forbids it: allow this process to write to the socket (AppArmor or SELinux profile, the mode of the ' +
  'socket file and of its directories)'

const REMEDIES: Readonly<Record<string, (value: string) => string>> = {
  ENOENT: () =>
    'There is no such file where this process runs: in a container or under RootDirectory= the socket must be mounted, ' +
    'and a NOTIFY_SOCKET that another service left behind must be unset',
  ECONNREFUSED: (value) =>
    value.startsWith('@')
      ? 'Nobody has this name in this network namespace (PrivateNetwork=, a container): the service manager is in ' +
        'another one, or has ended'
      : 'The service manager that owned this socket has ended, or NOTIFY_SOCKET was left behind by another service',
  EACCES: () => SANDBOX,
  EPERM: () =>
    `${SANDBOX}; or the receiver refuses descriptors (SO_PASSRIGHTS), as systemd-notify --fork does`,
  EPROTOTYPE: () =>
    'NOTIFY_SOCKET must name a datagram socket, and this is another type: is it a server of your own?',
  EAFNOSUPPORT: () =>
    'Add AF_UNIX (for vsock: AF_VSOCK) to RestrictAddressFamilies= of the unit; for vsock the kernel must have it, too',
  ENODEV: () => 'The kernel has no transport for vsock, or the virtual machine no vsock device',
  ECONNRESET: () =>
    'Nobody listens there: the service manager outside of the virtual machine has ended, or the port is another one',
  ESOCKTNOSUPPORT: () =>
    'The other end does not have this type of vsock socket: vsock-stream: is the one that all have',
  EPROTO: () => 'Whoever listens there answered, and a service manager only closes the connection',
  EMFILE: () => 'All descriptors of the process are in use: look for a leak, or raise LimitNOFILE=',
  ETOOMANYREFS: () =>
    'Too many descriptors are on their way from this user: send fewer at once, or raise LimitNOFILE=',
  ERR_SYSCALLS_UNAVAILABLE: () =>
    'Install systemd-notify(1), which is used in its place, or pass another transport',
}
