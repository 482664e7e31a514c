import type { RuntimeConfig } from '../containers/container.js'

/** A container as a scenario wants it, whoever runs it. */
export interface Container {
  /** Also the unit's, without its ending. */
  name: string
  /** What is run in it. */
  argv: string[]
  /** Folders of the machine, by where they appear inside. */
  mounts: Record<string, string>
  /** Whether its users are others than the machine's. */
  hasUserNamespace: boolean
}

/** One way to make a container a unit. */
export interface Rival {
  /** Part of unit names. */
  id: string
  /** Of a column, and of a chapter. */
  title: string
  /** What it is made of, as `versions.ts` knows it. */
  programs: readonly Program[]
  /** How it is set up, in what is no unit file. */
  beside?: string
  /** The unit file that suits it best: what is below `[Service]`. */
  settings(container: Container): string
  /** What is made before the unit is started. */
  files?: 'bundle of runc' | 'bundle of crun' | 'root file system'
  /** The last word about a bundle's `config.json`. */
  edit?(config: RuntimeConfig, container: Container): void
  /** What the payload does in place of READY=1. */
  isReadyBy?: string[]
  /** Runs a program in a container that runs. */
  exec?(name: string): string[]
  /** Shows what runs. */
  list?: string[]
}

export type Program = 'systemd' | 'docker' | 'containerd' | 'podman' | 'conmon' | 'runc' | 'crun'

/** Where bundles and root file systems are. */
export const BUNDLES = '/srv/bundles'

/** In place of the path of `sdbridge`, which is another one on every machine. */
export const SDBRIDGE = '/usr/bin/sdbridge'

/** The other docker, whose containers have a user namespace: that is a setting of the daemon. */
export const REMAPPED_DOCKER = 'unix:///run/docker-remapped.sock'

export const FIRST_MAPPED_ID = 100_000

const MAPPED = `${FIRST_MAPPED_ID}:65536`

const MAIN_PROCESS_RELOADS =
  'with `Type=notify-reload` systemd refuses a main process that has no handler for the signal, and SIGCHLD is one that this one has.'

/** To add one is to add an entry here, and to run `pnpm comparison`. */
export const RIVALS: readonly Rival[] = [
  {
    id: 'sdbridge-docker',
    title: 'sdbridge, docker',
    programs: ['docker', 'containerd', 'runc'],
    beside:
      'With runc, as where dockerd has no other runtime: it passes no descriptor on. Where dockerd knows the runtime below, `sdbridge run` takes that if none is named.',
    settings: (container) =>
      bridged(docker(container, ['--runtime=runc'])) + dockerSettings(container),
    exec: (name) => ['docker', 'exec', name],
    list: ['docker', 'ps'],
  },
  {
    id: 'sdbridge-docker-runtime',
    title: 'sdbridge, docker and its runtime',
    programs: ['docker', 'containerd', 'runc'],
    beside:
      'dockerd knows the runtime `sdbridge` as after `sdbridge runtime install --docker`; that runs the same runc.',
    settings: (container) =>
      bridged(docker(container, ['--runtime=sdbridge'])) + dockerSettings(container),
    exec: (name) => ['docker', 'exec', name],
    list: ['docker', 'ps'],
  },
  {
    id: 'sdbridge-podman',
    title: 'sdbridge, podman',
    programs: ['podman', 'conmon', 'crun'],
    settings: (container) => bridged(podman(container)),
    exec: (name) => ['podman', 'exec', name],
    list: ['podman', 'ps'],
  },
  {
    id: 'sdbridge-runc',
    title: 'sdbridge, runc',
    programs: ['runc'],
    settings: (container) => bridged(bundled('runc', container)),
    files: 'bundle of runc',
    exec: (name) => ['runc', 'exec', name],
    list: ['runc', 'list'],
  },
  {
    id: 'sdbridge-crun',
    title: 'sdbridge, crun',
    programs: ['crun'],
    settings: (container) => bridged(bundled('crun', container)),
    files: 'bundle of crun',
    exec: (name) => ['crun', 'exec', name],
    list: ['crun', 'list'],
  },
  {
    id: 'runc',
    title: 'runc alone',
    programs: ['runc'],
    beside: 'In `config.json`, `linux.cgroupsPath` is below the unit’s own cgroup.',
    settings: (container) => ownProxy('runc', container),
    files: 'bundle of runc',
    edit: putBelowUnit,
    exec: (name) => ['runc', 'exec', name],
    list: ['runc', 'list'],
  },
  {
    id: 'crun',
    title: 'crun alone',
    programs: ['crun'],
    beside: 'In `config.json`, `linux.cgroupsPath` is below the unit’s own cgroup.',
    settings: (container) => ownProxy('crun', container),
    files: 'bundle of crun',
    edit: putBelowUnit,
    exec: (name) => ['crun', 'exec', name],
    list: ['crun', 'list'],
  },
  {
    id: 'podman-container',
    title: 'podman --sdnotify=container',
    programs: ['podman', 'conmon', 'crun'],
    beside: `The unit is what quadlet makes of \`Notify=true\`, with the interval of the watchdog and a reload: ${MAIN_PROCESS_RELOADS}`,
    settings: (container) => quadlet('container', container),
    exec: (name) => ['podman', 'exec', name],
    list: ['podman', 'ps'],
  },
  {
    id: 'podman-conmon',
    title: 'podman --sdnotify=conmon',
    programs: ['podman', 'conmon', 'crun'],
    beside: 'The unit is what quadlet makes without `Notify=`.',
    settings: (container) => quadlet('conmon', container),
    exec: (name) => ['podman', 'exec', name],
    list: ['podman', 'ps'],
  },
  {
    id: 'podman-healthy',
    title: 'podman --sdnotify=healthy',
    programs: ['podman', 'conmon', 'crun'],
    beside:
      'The unit is what quadlet makes of `Notify=healthy`. The payload is healthy when it has made a file; in place of READY=1 it makes that.',
    settings: (container) =>
      quadlet('healthy', container, [
        ...['"--health-cmd=test -e /tmp/healthy"', '--health-interval=1s', '--health-retries=100'],
      ]),
    isReadyBy: ['sh', '-c', 'echo >/tmp/healthy'],
    exec: (name) => ['podman', 'exec', name],
    list: ['podman', 'ps'],
  },
  {
    id: 'nspawn',
    title: 'systemd-nspawn --notify-ready=yes',
    programs: ['systemd'],
    beside: `As \`systemd-nspawn@.service\` has it, for a payload that is one program, with a descriptor store, without which messages with descriptors are refused (EPERM), and with a reload: ${MAIN_PROCESS_RELOADS}`,
    settings: (container) => nspawn(container),
    files: 'root file system',
  },
  {
    id: 'docker-socket',
    title: 'docker, the socket bound in',
    programs: ['docker', 'containerd', 'runc'],
    settings: (container) => socketBoundIn(container),
    exec: (name) => ['docker', 'exec', name],
    list: ['docker', 'ps'],
  },
  {
    id: 'docker-socket-cgroup',
    title: 'docker, the socket bound in, its cgroup in the unit',
    programs: ['docker', 'containerd', 'runc'],
    beside:
      'dockerd runs with `native.cgroupdriver=cgroupfs`, which is not its default: with that of systemd, a container can be put into a slice alone.',
    settings: (container) => socketBoundIn(container, 'in the unit'),
    exec: (name) => ['docker', 'exec', name],
    list: ['docker', 'ps'],
  },
]

/** The same for every engine. */
function bridged(command: string[]): string {
  return `Type=notify
NotifyAccess=main
ExecStart=${SDBRIDGE} run -- ${command.join(' ')}
ExecStopPost=${SDBRIDGE} cleanup
KillMode=mixed
Delegate=yes
`
}

function ownProxy(runtime: 'runc' | 'crun', container: Container): string {
  return `Type=notify
NotifyAccess=main
ExecStart=${bundled(runtime, container).join(' ')}
ExecStopPost=-/usr/bin/${runtime} delete --force ${container.name}
KillMode=mixed
Delegate=yes
`
}

function quadlet(
  mode: 'container' | 'conmon' | 'healthy',
  container: Container,
  more: string[] = [],
): string {
  const { name } = container
  const options = [
    '--replace',
    '--cgroups=split',
    `--sdnotify=${mode}`,
    '--env=WATCHDOG_USEC',
    '-d',
  ]
  return `Type=notify
NotifyAccess=all
ExecStart=${podman(container, [...options, ...more]).join(' ')}
ReloadSignal=SIGCHLD
ExecReload=/usr/bin/podman kill --signal HUP ${name}
ExecStop=/usr/bin/podman rm -v -f -i ${name}
ExecStopPost=-/usr/bin/podman rm -v -f -i ${name}
KillMode=mixed
Delegate=yes
Environment=PODMAN_SYSTEMD_UNIT=%n
`
}

function nspawn({ name, argv, mounts, hasUserNamespace }: Container): string {
  const directory = `--directory=${BUNDLES}/${name}/rootfs`
  const command = [
    ...['/usr/bin/systemd-nspawn', '--quiet', '--keep-unit', '--register=no'],
    ...['--notify-ready=yes', '--kill-signal=SIGTERM', '--setenv=WATCHDOG_USEC'],
    ...Object.entries(mounts).map(([inside, source]) => `--bind=${source}:${inside}`),
    ...(hasUserNamespace ? [`--private-users=${MAPPED}`] : []),
    ...[`--machine=${name}`, directory, ...argv],
  ]
  return `Type=notify
NotifyAccess=main
ExecStart=${command.join(' ')}
ReloadSignal=SIGCHLD
ExecReload=/usr/bin/pkill -HUP --parent $MAINPID
ExecStopPost=/usr/bin/systemd-nspawn --cleanup --machine=${name} ${directory}
KillMode=mixed
Delegate=yes
DelegateSubgroup=supervisor
FileDescriptorStoreMax=1
`
}

function socketBoundIn(container: Container, cgroup?: 'in the unit'): string {
  const more = [
    ...['--volume=${NOTIFY_SOCKET}:/run/notify.sock', '--env=NOTIFY_SOCKET=/run/notify.sock'],
    '--env=WATCHDOG_USEC',
    ...(cgroup === undefined ? [] : [`--cgroup-parent=/system.slice/${container.name}.service`]),
  ]
  return `Type=notify
NotifyAccess=all
ExecStart=${docker(container, more).join(' ')}
ExecStopPost=-/usr/bin/docker rm --force ${container.name}
KillMode=mixed
${cgroup === undefined ? '' : 'Delegate=yes\nDelegateSubgroup=client\n'}${dockerSettings(container)}`
}

function dockerSettings({ hasUserNamespace }: Container): string {
  return hasUserNamespace ? `Environment=DOCKER_HOST=${REMAPPED_DOCKER}\n` : ''
}

function docker(container: Container, more: string[] = []): string[] {
  return imageCommand('docker', container, more)
}

function podman(container: Container, more: string[] = []): string[] {
  const ids = [`--uidmap=0:${MAPPED}`, `--gidmap=0:${MAPPED}`]
  return imageCommand('podman', container, [...(container.hasUserNamespace ? ids : []), ...more])
}

function imageCommand(engine: string, container: Container, more: string[]): string[] {
  const { name, argv, mounts } = container
  const volumes = Object.entries(mounts).map(([inside, source]) => `--volume=${source}:${inside}`)
  return [
    `/usr/bin/${engine}`,
    'run',
    '--rm',
    '--name',
    name,
    ...volumes,
    ...more,
    'payload',
    ...argv,
  ]
}

function bundled(runtime: string, { name }: Container): string[] {
  return [`/usr/bin/${runtime}`, 'run', '--bundle', `${BUNDLES}/${name}`, name]
}

function putBelowUnit({ linux }: RuntimeConfig, { name }: Container): void {
  linux['cgroupsPath'] = `/system.slice/${name}.service/payload`
}
