import { parseTimespan } from '../run/unit-settings.js'
import type { BridgedUnit } from './bridged-unit.js'
import { type Diagnosis, fault, hint, risk } from './diagnosis.js'
import { watchdogSetting } from './watchdog-setting.js'

/** Judges the settings of a unit whose main process is a bridge. */
export function checkSettings(bridged: BridgedUnit): Diagnosis[] {
  return CHECKS.flatMap((check) => check(bridged) ?? [])
}

type Check = (bridged: BridgedUnit) => Diagnosis | Diagnosis[] | undefined

function checkReload({ value }: BridgedUnit): Diagnosis | undefined {
  if (value('NeedDaemonReload') !== 'yes') return undefined
  return risk(
    'needs-reload',
    'its unit files have changed since the service manager read them',
    'systemctl daemon-reload, and look again',
  )
}

function checkType({ value }: BridgedUnit): Diagnosis | undefined {
  const type = value('Type')
  if (type === 'notify' || type === 'notify-reload') return undefined
  if (type !== 'simple' && type !== 'exec' && type !== 'idle')
    return fault(
      'type',
      `Type=${type}: the bridge stays in the foreground, and waits for no bus name`,
      'set Type=notify',
    )
  if (value('NotifyAccess') === 'none')
    return fault(
      'type',
      `Type=${type} without NotifyAccess=: the bridge gets no NOTIFY_SOCKET, and nobody hears what the payload says`,
      'set Type=notify; for a payload that never says READY=1, set NotifyAccess=main',
    )
  return hint(
    'type',
    `Type=${type}: the unit is active before the payload is`,
    'set Type=notify if the payload says READY=1',
  )
}

function checkNotifyAccess({ value, options }: BridgedUnit): Diagnosis | undefined {
  const access = value('NotifyAccess')
  const mainPid = options?.mainPid === true
  if (mainPid && access !== 'all')
    return fault(
      'notify-access',
      `--main-pid with NotifyAccess=${access}, which shuts the bridge out once it is not the main process any more`,
      'set NotifyAccess=all, or leave --main-pid out',
    )
  if (mainPid || access !== 'all') return undefined
  return hint(
    'notify-access',
    'NotifyAccess=all: the engine’s own programs may speak for the unit, too',
    'set NotifyAccess=main, which is enough',
  )
}

function checkStopPost({ options, state }: BridgedUnit): Diagnosis | undefined {
  // Which cleans up itself.
  if (options?.daemon === true) return undefined
  const isThere = state.stopPost.some((words) =>
    /\bsdbridge(?:\.js)? cleanup\b/.test(words.join(' ')),
  )
  if (isThere) return undefined
  return risk(
    'exec-stop-post',
    'no ExecStopPost=… sdbridge cleanup: if the bridge is killed, the container goes on until the next start',
    'set ExecStopPost=/usr/bin/sdbridge cleanup',
  )
}

function checkKillMode({ value, options }: BridgedUnit): Diagnosis | undefined {
  const mode = value('KillMode')
  if (options?.mainPid === true) {
    if (mode === 'control-group') return undefined
    return fault(
      'kill-mode',
      `--main-pid with KillMode=${mode}, by which only the payload hears of a stop, and the bridge is killed`,
      'set KillMode=control-group, or leave --main-pid out',
    )
  }
  if (mode === 'mixed') return undefined
  if (mode === 'control-group')
    return risk(
      'kill-mode',
      'KillMode=control-group: at a stop, engine and payload get SIGTERM beside the bridge; the image’s own stop signal does not count',
      'set KillMode=mixed',
    )
  return risk(
    'kill-mode',
    `KillMode=${mode}: what does not end in time is left behind`,
    'set KillMode=mixed',
  )
}

function checkStopTimeout({ options, value }: BridgedUnit): Diagnosis | undefined {
  // Then it has all of it.
  if (options?.daemon === true) return undefined
  const seconds = parseTimespan(value('TimeoutStopUSec')) ?? Infinity
  if (seconds >= LEAST_STOP_SEC) return undefined
  return risk(
    'stop-timeout',
    `TimeoutStopSec=${seconds}: the container gets less than ${Math.max(1, Math.floor(seconds * 0.75))} s to end before it is killed, and docker and podman alone need about one`,
    `set TimeoutStopSec=30, or at least ${LEAST_STOP_SEC}`,
  )
}

const LEAST_STOP_SEC = 5

function checkDirectory({ options, state, value }: BridgedUnit): Diagnosis | undefined {
  if (options?.daemon === true) return checkSharedDirectory(value)
  if (value('RuntimeDirectory') !== '') return undefined
  const user = value('User')
  if (!state.user && user !== '' && user !== 'root' && user !== '0')
    return fault(
      'runtime-directory',
      `User=${user} without RuntimeDirectory=: it cannot make its directory for the container socket in /run`,
      'set RuntimeDirectory=sdbridge-%p and RuntimeDirectoryMode=0700',
    )
  if (canWriteToRun(value)) return undefined
  return fault(
    'runtime-directory',
    'ProtectSystem=strict without RuntimeDirectory=: /run is read-only, where the container socket is to be',
    'set RuntimeDirectory=sdbridge-%p and RuntimeDirectoryMode=0700',
  )
}

// The daemon's cleanup would not find another one.
function checkSharedDirectory(value: BridgedUnit['value']): Diagnosis | undefined {
  if (canWriteToRun(value)) return undefined
  return fault(
    'runtime-directory',
    'ProtectSystem=strict: /run is read-only, where sdbridge run --daemon notes what is to be removed',
    'set ReadWritePaths=/run',
  )
}

function canWriteToRun(value: BridgedUnit['value']): boolean {
  const isWritable = /(?:^| )[+-]*\/run(?:\/sdbridge)?(?: |$)/.test(value('ReadWritePaths'))
  return value('ProtectSystem') !== 'strict' || isWritable
}

function checkSandbox({ value }: BridgedUnit): Diagnosis[] {
  const families = value('RestrictAddressFamilies')
  const isDenied = families.startsWith('~')
    ? /\bAF_UNIX\b/.test(families)
    : families !== '' && !/\bAF_UNIX\b/.test(families)
  return [
    ...(value('MemoryDenyWriteExecute') === 'yes'
      ? [
          fault(
            'memory-deny-write-execute',
            'MemoryDenyWriteExecute=yes: node compiles JavaScript into memory that it executes, and ends at once',
            'leave it out',
          ),
        ]
      : []),
    ...(isDenied
      ? [
          fault(
            'restrict-address-families',
            `RestrictAddressFamilies=${families}: the container socket is of the family AF_UNIX`,
            'add AF_UNIX',
          ),
        ]
      : []),
  ]
}

function checkFileLimit({ options, value }: BridgedUnit): Diagnosis | undefined {
  if (options?.daemon === true) return undefined
  const limit = value('LimitNOFILE')
  if (!/^\d+$/.test(limit) || Number(limit) >= LEAST_FILES) return undefined
  return risk(
    'file-limit',
    `LimitNOFILE=${limit}: a payload that sends many descriptors can fill the bridge’s table`,
    `set LimitNOFILE=1024:${LEAST_FILES}, or more; the payload gets the first number`,
  )
}

const LEAST_FILES = 4096

function checkRestart({ value }: BridgedUnit): Diagnosis | undefined {
  if (value('Restart') !== 'no') return undefined
  return hint('restart', 'Restart=no: a payload that fails stays away', 'set Restart=on-failure')
}

function checkWatchdog(bridged: BridgedUnit): Diagnosis | undefined {
  const { options } = bridged
  if (options?.systemd !== true || options.senders !== 'init') return undefined
  const setting = watchdogSetting(bridged)
  if (setting === undefined) return undefined
  return fault(
    'watchdog',
    `WatchdogSec=${setting} with --systemd: systemd as the first process of a container pings nobody`,
    'leave it out, and give the units inside WatchdogSec=',
  )
}

const CHECKS: readonly Check[] = [
  checkWatchdog,
  checkReload,
  checkType,
  checkNotifyAccess,
  checkStopPost,
  checkKillMode,
  checkStopTimeout,
  checkDirectory,
  checkSandbox,
  checkFileLimit,
  checkRestart,
]
