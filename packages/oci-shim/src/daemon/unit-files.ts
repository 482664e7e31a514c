import { controlSocketOf, descriptorSocketOf, PLACES } from './places.js'

/** What the units of the daemon depend on. */
export interface DaemonFacts {
  /** Absolute paths. */
  readonly node: string
  readonly script: string
  /** Of systemd; older ones do not know all settings. */
  readonly version: number
}

/** The text of sdbridge.socket. */
export function daemonSocketUnit(): string {
  return `[Unit]
Description=Sockets of the sdbridge daemon

[Socket]
ListenStream=${controlSocketOf()}
ListenSequentialPacket=${descriptorSocketOf()}
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target
`
}

/** The text of sdbridge-metrics.socket. */
export function daemonMetricsUnit(): string {
  return `[Unit]
Description=Prometheus' text of the sdbridge daemon, over HTTP

[Socket]
ListenStream=${PLACES.metrics}
Service=sdbridge.service
# An exporter is let in by a drop-in: SocketMode=0660, and its SocketGroup=.
SocketMode=0600

[Install]
WantedBy=sockets.target
`
}

/** The text of sdbridge.service. */
export function daemonServiceUnit({ node, script, version }: DaemonFacts): string {
  return `[Unit]
Description=sdbridge: containers notify the service manager
Requires=sdbridge.socket
Wants=sdbridge-metrics.socket
After=sdbridge.socket sdbridge-metrics.socket
# However often it is killed: given up on, it loses its descriptor store, and with it what containers have said.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
Sockets=sdbridge.socket sdbridge-metrics.socket
ExecStart=${[node, script].map(quoted).join(' ')} daemon
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=30
Restart=always
RestartSec=100ms
# Whoever kills it for want of memory takes all containers' voices.
OOMScoreAdjust=-500

# The sockets of all containers: they outlive a restart, and nothing that was sent meanwhile is lost.
FileDescriptorStoreMax=4096
${version >= 254 ? 'FileDescriptorStorePreserve=yes\n' : ''}# A socket and a process for each, and what comes with messages.
LimitNOFILE=65536
# Registrations: they go with a boot, as containers do.
RuntimeDirectory=sdbridge-daemon
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
# What is mounted into containers.
StateDirectory=sdbridge-daemon
StateDirectoryMode=0700

# To speak in the name of another process takes CAP_SYS_ADMIN; to see in which namespaces a caller is, CAP_SYS_PTRACE.
CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SYS_PTRACE
AmbientCapabilities=
NoNewPrivileges=yes
# Node compiles at run time, so MemoryDenyWriteExecute= cannot be set.
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
ProtectSystem=strict
${protectHome([node, script])}
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProcSubset=pid
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
KeyringMode=private
UMask=0077

# What systemd-analyze security finds missing, and cannot be set:
# User=, PrivateUsers=: who speaks in the name of others must be root on the host, and see whose processes ask.
# ProtectProc=: it looks at the processes of callers and of units; with CAP_SYS_PTRACE nothing would be hidden anyhow.
# PrivateNetwork=: in a network namespace of its own, net.unix.max_dgram_qlen is 10, and so much less waits in the containers' sockets than on the host.
# RootDirectory=: units, their cgroups and the containers' directories are the host's.
# RestrictAddressFamilies=~AF_UNIX: that is all it talks by.
# DeviceAllow=: ProtectClock= itself adds the clock, to read.

[Install]
WantedBy=multi-user.target
Also=sdbridge.socket sdbridge-metrics.socket
`
}

// Where node or this command is in a home, it must be seen.
function protectHome(files: readonly string[]): string {
  const isInHome = files.some((file) => /^\/(?:home|root|run\/user)\//.test(file))
  return `ProtectHome=${isInHome ? 'read-only' : 'yes'}`
}

// What ExecStart= takes for its own has to be doubled.
function quoted(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@:./+=,$%-]+$/.test(escaped)
    ? escaped
    : `"${escaped.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}

/** The text of the list of units, where there is none. */
export const EMPTY_LIST: string = `# The units that containers may speak for through the sdbridge daemon, one in a line: web.service, or web@*.service.
# With 'annotation' behind it, a container that an engine starts may name the unit by its annotation io.sdbridge.daemon.
# After a change: systemctl reload sdbridge. See sdbridge daemon --help.
`

/** Where the units are written. */
export const UNIT_DIRECTORY = '/etc/systemd/system'
export const ALLOW_LIST: string = PLACES.allowList
