import { SYSTEMD_HOST_DIRECTORY } from '../engines/systemd-needs.js'
import type { RunOptions } from '../run/run-options.js'
import { checkedUnit } from './checked-unit.js'
import { checkDaemonWords } from './daemon-words.js'
import { containerDirectoryOf, DEFAULT_CONTAINER_DIRECTORY } from './container-directory.js'
import { parseWords } from './parse-words.js'
import { UsageError } from './usage-error.js'

export const HELP = `Usage: sdbridge run [options] [--] COMMAND [ARGUMENT...]

Starts a container as the main process of a Type=notify unit, and passes on what its payload
notifies: readiness, status, watchdog, reloads, descriptors to store. Made for ExecStart=; the unit
needs no more than NotifyAccess=main.

  ExecStart=/usr/bin/node /usr/bin/sdbridge run -- /usr/bin/docker run --rm IMAGE

COMMAND is docker, nerdctl, podman, runc or crun with run, or with create; or with start for what
has been created by sdbridge. What the bridge needs is added to its options, and nothing that the
payload gets is changed. Any other command gets $NOTIFY_SOCKET of the bridge, and the bridge's paths
in place of {notify-directory} and {notify-socket} among its arguments.

Options:
  --senders WHO              whose messages count: all (default) processes that reach the socket,
                             init for the container's first process (default with --systemd), or
                             uid:N[,N...] for users, as the host sees them
  --main-pid                 pass MAINPID= on, translated to the host's pids; needs root and
                             NotifyAccess=all
  --notify-access            pass NOTIFYACCESS= on
  --store-limit N            how many descriptors the payload may store; default: what the unit may
  --pull-limit SECONDS       for how long the start timeout is extended while an image is pulled;
                             default 900, 0 for not at all
  --container-directory DIR  where the socket's directory is in the container; default /run/notify
  --offer-sockets            for any other COMMAND: the unit's sockets and stored descriptors go to a
                             container with the runtime sdbridge and with $SDBRIDGE_DESCRIPTORS, which
                             COMMAND gets, as its annotation io.sdbridge.descriptors
  --engine-unit NAME         the unit of a docker or containerd that is neither docker.service nor
                             containerd.service: its runtime may ask for the unit's sockets
  --systemd                  the container's first process is systemd: add what it needs to run in a
                             container that is not privileged, have SIGRTMIN+3 stop it, put the socket
                             at /run/host/notify, and hear its first process alone
  --daemon                   have sdbridge daemon bridge the container, and become COMMAND: nothing of
                             sdbridge stays in the unit. See below
  --unit NAME                the name of the unit, where no service manager has started this
  --stop-timeout SECONDS     how long a stop may take, where systemd does not tell; default 90
  --print                    print the command that would be run, and do nothing
  --help                     show this text

Stopping: at SIGTERM the container is stopped by its engine, with the image's own stop signal, in
less than the unit's TimeoutStopSec=; SIGINT and SIGQUIT do the same. SIGHUP, SIGUSR2, SIGALRM,
SIGWINCH, SIGTTIN, SIGTTOU, SIGABRT and real-time signals go to the payload's first process, so that
ReloadSignal= may be any of them; ten seconds after SIGABRT, which is the watchdog's, the container is
removed. SIGUSR1 prints what has been passed on and what has not.

With --daemon, COMMAND becomes the unit's main process, and passes the unit's signals on to the
payload; for an image with a stop signal of its own, set KillSignal=. When it has ended, the daemon
has the container removed. The unit must be named in /etc/sdbridge/units: see sdbridge daemon --help.
Not with it go create, start and --detach, --senders, --main-pid, --notify-access, --store-limit,
--pull-limit, --stop-timeout and --systemd: these need a bridge in the unit.

Exit status: the payload's; death by a signal is passed on. With --systemd, 133 for a reboot inside,
as systemd-nspawn has it; with --daemon, COMMAND's own. 2 for a mistake on the command line, 125 if
the bridge or the engine cannot do it, 126 if COMMAND cannot be executed, 127 if it is not found.
`

/** @throws UsageError */
export function parseRun(args: readonly string[]): RunOptions | 'help' {
  const { values, rest } = parseWords(args, OPTIONS)
  const systemd = values.systemd === true
  if (values.help === true) return 'help'
  if (rest.length === 0) throw new UsageError('no COMMAND to run was given')
  if (values.daemon === true) checkDaemonWords(values)
  return {
    command: rest,
    senders: sendersOf(values.senders ?? (systemd ? 'init' : 'all')),
    mainPid: values['main-pid'] === true,
    notifyAccess: values['notify-access'] === true,
    storeLimit: countOf('store-limit', values['store-limit']),
    pullLimitSec: countOf('pull-limit', values['pull-limit']) ?? (values.daemon === true ? 0 : 900),
    containerDirectory: containerDirectoryOf(
      values['container-directory'] ??
        (systemd ? SYSTEMD_HOST_DIRECTORY : DEFAULT_CONTAINER_DIRECTORY),
    ),
    systemd,
    daemon: values.daemon === true,
    timeoutStopSec: countOf('stop-timeout', values['stop-timeout']),
    print: values.print === true,
    offerSockets: values['offer-sockets'] === true,
    engineUnits: (values['engine-unit'] ?? []).flatMap((each) => checkedUnit(each) ?? []),
    unit: checkedUnit(values.unit),
  }
}

/** `sdbridge run`. */
export async function main(args: readonly string[]): Promise<number> {
  const options = parseRun(args)
  if (options === 'help') {
    process.stdout.write(HELP)
    return 0
  }
  if (options.daemon) {
    const { runByDaemon } = await import('../handover/run-by-daemon.js')
    return await runByDaemon(options)
  }
  const { run } = await import('../run/run.js')
  return await run(options)
}

const OPTIONS = {
  senders: { type: 'string' },
  'main-pid': { type: 'boolean' },
  'notify-access': { type: 'boolean' },
  'store-limit': { type: 'string' },
  'pull-limit': { type: 'string' },
  'container-directory': { type: 'string' },
  'offer-sockets': { type: 'boolean' },
  'engine-unit': { type: 'string', multiple: true },
  systemd: { type: 'boolean' },
  daemon: { type: 'boolean' },
  unit: { type: 'string' },
  'stop-timeout': { type: 'string' },
  print: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

function sendersOf(text: string): RunOptions['senders'] {
  if (text === 'all' || text === 'init') return text
  const uids = /^uid:(\d{1,10}(?:,\d{1,10})*)$/.exec(text)?.[1]?.split(',').map(Number) ?? []
  // The last one is what the kernel has for none (uid_t)-1.
  if (uids.length > 0 && uids.every((uid) => uid < 0xff_ff_ff_ff)) return uids
  throw new UsageError(`--senders must be all, init or uid:N[,N...], not '${text}'`)
}

function countOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new UsageError(`--${name} must be a whole number, 0 or more, not '${text}'`)
}
