import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Machine } from '../machine/machine.js'

const UID = 1000
const HOME = '/home/app'
const RUNTIME = `/run/user/${UID}`

/** A user of the machine without privileges, with a service manager of its own (`systemctl --user`). */
export class UserManager {
  readonly machine: Machine

  static async start(machine: Machine): Promise<UserManager> {
    const user = new UserManager(machine)
    const folders = [`${HOME}/.config/systemd/user`, `${HOME}/.config/containers`, RUNTIME]
    await appendFile(machine.path('/etc/passwd'), `app:x:${UID}:${UID}::${HOME}:/bin/sh\n`)
    await appendFile(machine.path('/etc/group'), `app:x:${UID}:\n`)
    for (const folder of folders) await mkdir(machine.path(folder), { recursive: true })
    await writeFile(
      machine.path(`${HOME}/.config/containers/storage.conf`),
      '[storage]\ndriver = "vfs"\n',
    )
    await machine.run('chown', ['-R', 'app:app', HOME, RUNTIME])
    // As systemd's own user@.service, without PAM.
    await machine.writeUnit(
      `user@${UID}.service`,
      `[Service]
User=app
Type=notify
ExecStart=/usr/lib/systemd/systemd --user
Environment=HOME=${HOME} XDG_RUNTIME_DIR=${RUNTIME}
Slice=user-${UID}.slice
Delegate=yes
KillMode=mixed
`,
    )
    await machine.systemctl('start', `user@${UID}.service`)
    return user
  }

  /** For `start()`. */
  constructor(machine: Machine) {
    this.machine = machine
  }

  /** Runs a command as this user, and returns what it writes to standard output. */
  async run(...command: string[]): Promise<string> {
    const { stdout } = await this.machine.run('setpriv', [...AS_USER, ...command], {
      timeoutMs: 60_000,
    })
    return stdout
  }

  systemctl(...args: string[]): Promise<string> {
    return this.run('systemctl', '--user', ...args)
  }

  async writeUnit(name: string, text: string): Promise<void> {
    const file = this.machine.path(join(HOME, '.config/systemd/user', name))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    await this.systemctl('daemon-reload')
  }

  /** Makes an image of a folder, which is not the user's. */
  async importImage(name: string, folder: string, change: string): Promise<void> {
    const script = 'tar -C "$1" -c . | setpriv "$@" podman import --change "$CHANGE" - "$NAME"'
    await this.machine.run('sh', ['-c', script.replace('$1', folder), 'sh', ...AS_USER], {
      env: { NAME: name, CHANGE: change },
      timeoutMs: 60_000,
    })
  }

  /** Ends the manager, and removes what the user had. */
  async end(): Promise<void> {
    await this.machine.systemctl('stop', 'user.slice')
    // podman's own process that keeps the user namespace is in none of the user's cgroups.
    const script = `rm /run/systemd/system/user@${UID}.service; pkill -u ${UID}; rm -rf ${HOME} ${RUNTIME}`
    await this.machine.run('sh', ['-c', script], { allowFailure: true })
    await this.machine.systemctl('daemon-reload')
  }
}

const AS_USER = [
  ...[`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups'],
  ...['env', '-C', HOME, `HOME=${HOME}`, `XDG_RUNTIME_DIR=${RUNTIME}`],
]
