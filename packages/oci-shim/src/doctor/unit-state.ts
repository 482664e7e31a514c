import { runCommand } from '../engines/command-outcome.js'
import { parseProperties, type Properties } from '../run/systemctl-properties.js'

/** A unit as its service manager has loaded it: drop-ins, specifiers and defaults are in it. */
export interface UnitState {
  readonly unit: string
  readonly user: boolean
  readonly properties: Properties
  /** The words of each command of `ExecStart=`. */
  readonly start: readonly Words[]
  readonly startPre: readonly Words[]
  readonly stopPost: readonly Words[]
  /** What its processes start with: the manager's own, and `Environment=`. `EnvironmentFile=` is not read. */
  readonly environment: NodeJS.ProcessEnv
}

type Words = readonly string[]

export interface ManagerOptions {
  /** The service manager of the user who asks, rather than that of the system. */
  readonly user: boolean
}

const ANSWER_MS = 10_000

/** A service manager, asked by its own clients. */
export class ManagerClient {
  readonly user: boolean

  constructor({ user }: ManagerOptions) {
    this.user = user
  }

  /** @throws Error with what systemctl says, if it does not answer. */
  async unitState(unit: string): Promise<UnitState> {
    const [text, environment, words] = await Promise.all([
      this.#ask('systemctl', 'show', '--', unit),
      this.#ask('systemctl', 'show-environment'),
      this.#words(unit),
    ])
    const properties = parseProperties(text)
    const ofText = (name: string): Words[] => commandsOf(properties.get(name) ?? '')
    const variables = words?.variables ?? (properties.get('Environment') ?? '').split(' ')
    return {
      unit,
      user: this.user,
      properties,
      start: words?.start ?? ofText('ExecStart'),
      startPre: words?.startPre ?? ofText('ExecStartPre'),
      stopPost: words?.stopPost ?? ofText('ExecStopPost'),
      environment: { ...variablesOf(environment.split('\n')), ...variablesOf(variables) },
    }
  }

  /** The loaded units whose `ExecStart=` has `sdbridge run` in it. */
  async bridgedUnits(): Promise<string[]> {
    const text = await this.#ask(
      'systemctl',
      'show',
      '--all',
      '*.service',
      '--property=Id,ExecStart',
    )
    return text.split('\n\n').flatMap((block) => {
      const properties = parseProperties(block)
      const isBridged = /\bsdbridge(?:\.js)? run\b/.test(properties.get('ExecStart') ?? '')
      const id = properties.get('Id')
      return isBridged && id !== undefined ? [id] : []
    })
  }

  /**
   * As the bus tells them, each word for itself: systemctl writes them with spaces between. `undefined` where no bus runs, which is
   * not started for this.
   */
  async #words(unit: string): Promise<CommandWords | undefined> {
    const bus = await this.#ask('systemctl', 'show', 'dbus.service', '--property=ActiveState')
    if (!bus.includes('=active')) return undefined
    const { code, stdout } = await runCommand(
      {
        file: 'busctl',
        args: [
          ...this.#options,
          '--json=short',
          'get-property',
          'org.freedesktop.systemd1',
          `/org/freedesktop/systemd1/unit/${pathOf(unit)}`,
          'org.freedesktop.systemd1.Service',
          ...['ExecStart', 'ExecStartPre', 'ExecStopPost', 'Environment'],
        ],
      },
      process.env,
      ANSWER_MS,
    )
    if (code !== 0) return undefined
    const [start, startPre, stopPost, environment] = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { data: unknown }).data)
    return {
      start: argumentsOf(start),
      startPre: argumentsOf(startPre),
      stopPost: argumentsOf(stopPost),
      variables: environment as string[],
    }
  }

  async #ask(file: string, ...args: string[]): Promise<string> {
    const command = { file, args: [...this.#options, ...args] }
    const { code, stdout, reason } = await runCommand(command, process.env, ANSWER_MS)
    if (code === 0) return stdout
    throw new Error(`${file} ${args[0] ?? ''} gives no answer: ${reason}`)
  }

  get #options(): string[] {
    return this.user ? ['--user'] : []
  }
}

interface CommandWords extends Pick<UnitState, 'start' | 'startPre' | 'stopPost'> {
  readonly variables: readonly string[]
}

function argumentsOf(commands: unknown): Words[] {
  return (commands as [string, string[]][]).map(([, words]) => words)
}

function commandsOf(text: string): Words[] {
  return [...text.matchAll(/argv\[\]=(.*?) ; \w+=/g)].map(([, words]) => words!.split(' '))
}

function variablesOf(lines: readonly string[]): Record<string, string> {
  const pairs = lines.map((line) => /^([^=]+)=(.*)$/s.exec(line) ?? [])
  return Object.fromEntries(
    pairs.flatMap(([, name, value]) => (name === undefined ? [] : [[name, value!]])),
  )
}

/** As bus_label_escape() of systemd. */
function pathOf(unit: string): string {
  const bytes = [...Buffer.from(unit)]
  return bytes
    .map((byte, index) => {
      const character = String.fromCharCode(byte)
      const isPlain = index === 0 ? /[A-Za-z]/.test(character) : /[A-Za-z0-9]/.test(character)
      return isPlain ? character : `_${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
}
