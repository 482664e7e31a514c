import { expect } from 'vitest'
import type { EngineName } from './container.js'
import type { ContainerHost } from './container-host.js'

const LONGEST_WAIT_MS = 20_000

/** What there is in a machine that a container may leave behind: each a line. */
export type Inventory = string[]

/** Takes stock, of what these engines have too. */
export async function takeInventory(
  { machine, engines: all }: ContainerHost,
  engines: readonly EngineName[] = all,
): Promise<Inventory> {
  const { stdout } = await machine.run('bash', ['-c', SCRIPT, 'bash', ...engines])
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !BELONGS.some((each) => each.test(line)))
}

/** Waits until there is no more than there was. */
export async function expectNothingLeft(
  host: ContainerHost,
  before: Inventory,
  engines: readonly EngineName[] = host.engines,
): Promise<void> {
  await expect
    .poll(async () => surplus(before, await takeInventory(host, engines)), {
      timeout: LONGEST_WAIT_MS,
      interval: 300,
      message: 'nothing is left behind',
    })
    .toEqual([])
}

function surplus(before: Inventory, after: Inventory): Inventory {
  const known = new Map<string, number>()
  for (const line of before) known.set(line, (known.get(line) ?? 0) + 1)
  return after.filter((line) => {
    const count = known.get(line) ?? 0
    known.set(line, count - 1)
    return count <= 0
  })
}

// The script itself is no process of interest, nor what it starts.
const SCRIPT = `
for engine; do
  case $engine in
    docker) "$engine" ps --all --no-trunc --format 'container of docker: {{.ID}} {{.Names}} {{.Status}}'
      "$engine" volume ls --format 'volume of docker: {{.Name}}' ;;
    podman) "$engine" ps --all --no-trunc --external --format 'container of podman: {{.ID}} {{.Names}} {{.Status}}'
      "$engine" volume ls --format 'volume of podman: {{.Name}}' ;;
    runc) "$engine" list --quiet | sed 's/^/container of runc: /' ;;
    crun) "$engine" list --quiet | sed 's/^/container of crun: /' ;;
  esac
done
find /run /tmp -xdev -printf 'file: %p\\n'
findmnt --noheadings --raw --output TARGET | sed 's/^/mount: /'
find /sys/fs/cgroup -mindepth 1 -type d -printf 'cgroup: %p\\n'
for process in /proc/[0-9]*; do
  # Its command line changes when it executes itself again.
  [ "$process" != /proc/1 ] || continue
  [ "$(readlink "$process/ns/cgroup")" ] || continue
  group=$(sed -n 's/^0:://p' "$process/cgroup" 2>/dev/null) || continue
  case $group in /commands*) continue ;; esac
  command=$(tr '\\0' ' ' <"$process/cmdline" 2>/dev/null) || continue
  echo "process: $command"
done
true
`

// What the service manager and the engines keep for themselves, whatever they run.
const BELONGS = [
  /^file: \/run\/systemd\//,
  /^file: \/run\/dbus\//,
  /^file: \/run\/(containers|libpod|crun\/\.)/,
  // Of a template's instances.
  /^cgroup: \/sys\/fs\/cgroup\/system\.slice\/system-[^/]+\.slice$/,
  // Of a daemon of ours that was started anew: PrivateTmp=.
  /^file: \/tmp\/systemd-private-[^/]+-sdbridge\.service-/,
  // Of a dockerd that was reloaded.
  /^cgroup: \/sys\/fs\/cgroup\/system\.slice\/docker\.service\/\.control$/,
  /^file: \/run\/(docker|containerd)\/(containerd|libnetwork|s)\b/,
  /^(mount|file|cgroup): \/run\/(credentials|user)\b/,
  /^cgroup: \/sys\/fs\/cgroup\/system\.slice$/,
  // podman makes itself at home wherever it is called, and tests call it in here.
  /^cgroup: \/sys\/fs\/cgroup\/commands\b/,
  /^process: .*dbus-daemon/,
]
