import { unitWords } from './unit-words.js'

/** The engines that a unit can be written for. */
export type UnitEngine = 'docker' | 'podman' | 'runc' | 'crun'

/** What a unit is made of. */
export interface UnitFacts {
  readonly engine: UnitEngine
  /** The unit's name without `.service`; the container's as well. */
  readonly name: string
  /** An image, or the absolute path of a bundle. */
  readonly image: string
  /** What the payload is started with, in place of the image's own. */
  readonly args: readonly string[]
  /** What the unit is to listen on, as `ListenStream=` takes it. */
  readonly sockets: readonly string[]
  /** Whether it is for the service manager of a user. */
  readonly user: boolean
  /** Whether the container's first process is systemd. */
  readonly systemd: boolean
  /** Absolute paths. */
  readonly node: string
  readonly script: string
  readonly program: string
}

/** The text of a `.service`. */
export function serviceUnit(facts: UnitFacts): string {
  const { engine, name, user, node, script, systemd } = facts
  const isRuntime = engine === 'runc' || engine === 'crun'
  const hasDaemon = engine === 'docker' && !user
  const sections = [
    [
      `# ${placeOf(facts)}/${name}.service`,
      '[Unit]',
      `Description=${oneLine(`${name}, in ${engine}`)}`,
      ...(user ? [] : ['Wants=network-online.target']),
      ...after(facts),
      ...(hasDaemon
        ? [
            '# If the daemon is stopped, this is stopped in front of it, while it can still be.',
            'Requires=docker.service',
          ]
        : []),
    ],
    [
      '[Service]',
      systemd
        ? '# Active when all units inside are started.'
        : '# Active when the payload says READY=1. For one that never says so, Type=exec.',
      'Type=notify',
      '# All that the payload says is passed on by the main process.',
      'NotifyAccess=main',
      ...(needsRuntime(facts)
        ? [
            "# docker hands on no sockets by itself: its runtime sdbridge does, which is there after 'sdbridge runtime install --docker'",
            "# and 'systemctl reload docker'.",
          ]
        : []),
      `ExecStart=${unitWords([node, script, 'run', ...(systemd ? ['--systemd'] : []), '--', ...commandOf(facts)])}`,
      '# Removes the container if the main process was killed.',
      `ExecStopPost=${unitWords([node, script, 'cleanup'])}`,
      "# At a stop only the main process is asked, which has the engine stop the container with the image's own signal.",
      'KillMode=mixed',
      '# While an image is pulled, the start takes as long as that, 15 minutes at the most.',
      'TimeoutStartSec=90',
      ...endOf(facts),
      'Restart=on-failure',
      "# For the container's notification socket; it goes with the unit.",
      // After a colon systemd takes the name of a link.
      `RuntimeDirectory=sdbridge-${containerNameOf(name)}`,
      'RuntimeDirectoryMode=0700',
      ...(engine === 'docker'
        ? []
        : [
            "# The container's cgroup is below the unit's, so that nothing of it can stay behind.",
            'Delegate=yes',
          ]),
      ...(isRuntime
        ? []
        : ['# What the payload writes is in the journal, and nowhere else: journalctl -u.']),
      ...(isRuntime ? [] : ['SyslogIdentifier=%p']),
    ],
    ['[Install]', `WantedBy=${user ? 'default.target' : 'multi-user.target'}`],
  ]
  return text(sections)
}

/** The text of the `.socket` beside it; `undefined` if it listens on nothing. */
export function socketUnit(facts: UnitFacts): string | undefined {
  const { name, sockets } = facts
  if (sockets.length === 0) return undefined
  return text([
    [
      `# ${placeOf(facts)}/${name}.socket`,
      '[Unit]',
      `Description=${oneLine(`Sockets of ${name}`)}`,
    ],
    [
      '[Socket]',
      ...sockets.map((each) => `ListenStream=${each.replaceAll('%', '%%')}`),
      '# By this name the payload finds them in LISTEN_FDNAMES.',
      `FileDescriptorName=${name.replaceAll(/[:@\\]/g, '-')}`,
    ],
    ['[Install]', 'WantedBy=sockets.target'],
  ])
}

function endOf({ systemd }: UnitFacts): string[] {
  if (systemd)
    return [
      '# For all units inside, each of which may take 90 seconds: 110 are theirs before it is killed.',
      'TimeoutStopSec=120',
      '# A reboot inside starts it anew.',
      'SuccessExitStatus=133',
      'RestartForceExitStatus=133',
    ]
  return [
    '# For all of it: the container has 20 seconds and more before it is killed.',
    'TimeoutStopSec=30',
    '# A payload that ends by the SIGTERM that stops it has not failed.',
    'SuccessExitStatus=143',
  ]
}

function placeOf({ user }: UnitFacts): string {
  return user ? '~/.config/systemd/user' : '/etc/systemd/system'
}

function after({ user, engine, sockets, name }: UnitFacts): string[] {
  const units = [
    ...(user ? [] : ['network-online.target']),
    ...(engine === 'docker' && !user ? ['docker.service'] : []),
    ...(sockets.length > 0 ? [`${name}.socket`] : []),
  ]
  return [
    ...(units.length > 0 ? [`After=${units.join(' ')}`] : []),
    ...(sockets.length > 0 ? [`Requires=${name}.socket`] : []),
  ]
}

function commandOf(facts: UnitFacts): string[] {
  const { engine, program, name, image, args } = facts
  if (engine === 'runc' || engine === 'crun')
    return [program, 'run', '--bundle', image, containerNameOf(name)]
  // The unit has its output already; a log of the engine's would be a second one, which grows.
  const options = [
    ...['--rm', '--name', containerNameOf(name), '--log-driver=none'],
    ...(needsRuntime(facts) ? ['--runtime=sdbridge'] : []),
  ]
  return [program, 'run', ...options, image, ...args]
}

function needsRuntime({ engine, sockets }: UnitFacts): boolean {
  return engine === 'docker' && sockets.length > 0
}

// Engines know fewer characters than systemd does.
function containerNameOf(name: string): string {
  return name.replaceAll(/[^\w.-]/g, '-')
}

function oneLine(value: string): string {
  return value.replaceAll('%', '%%')
}

function text(sections: string[][]): string {
  return sections.map((lines) => `${lines.join('\n')}\n`).join('\n')
}
