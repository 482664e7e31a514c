import type { EngineName } from './container.js'

/** Where a scenario is tried: an engine on Debian's newest systemd, or runc on the systemd of this machine. */
export type Place = EngineName | 'runc on host'

export const PLACES: readonly Place[] = ['docker', 'podman', 'runc', 'crun', 'runc on host']

export interface Scenario {
  title: string
  /** Where it cannot be tried or means nothing, and why. */
  except?: Partial<Record<Place, string>>
}

const NO_ENGINE = 'no engine calls it'
const NO_IMAGES = 'a bundle is there, and nothing is fetched'

const CARRIES = 'its client carries the sockets'
const ONLY_DOCKER_ASKS = {
  podman: CARRIES,
  runc: CARRIES,
  crun: CARRIES,
  'runc on host': CARRIES,
}

/** S1 to S30: what a bridge between containers and a service manager has to get right; and more than that. */
export const SCENARIOS = {
  S1: { title: 'a container that sends nothing' },
  S2: { title: 'upwards go the bytes that the payload sent' },
  S3: { title: "no READY=1 before the payload's" },
  S4: { title: 'a start that waits for READY=1 holds nothing up' },
  S5: { title: 'READY=1 on the second line' },
  S6: { title: 'what only looks like READY=1' },
  S7: { title: 'STATUS= after READY=1' },
  S8: { title: 'the watchdog, over three intervals and then silent' },
  S9: { title: 'systemctl reload of Type=notify-reload' },
  S10: { title: 'STOPPING=1, and READY=1 too late' },
  S11: { title: 'EXTEND_TIMEOUT_USEC=' },
  S12: { title: 'a barrier is released by the service manager alone' },
  S13: { title: 'stored descriptors are back by name in the next container' },
  S14: { title: 'FDSTOREREMOVE=1' },
  S15: { title: 'MAINPID= is dropped, or translated by --main-pid' },
  S16: { title: 'an end before READY=1 keeps its exit code' },
  S17: { title: 'an empty datagram' },
  S18: { title: 'datagrams of 4096, 4097 and 32769 bytes' },
  S19: { title: 'NUL, CRLF, invalid UTF-8' },
  S20: { title: 'daemon-reexec in the middle of a conversation' },
  S21: { title: 'a flood of 10,000 WATCHDOG=1' },
  S22: { title: 'user namespaces, other users, a read-only root' },
  S23: { title: 'a host socket that is abstract, or has a path too long for an address' },
  S24: { title: 'no NOTIFY_SOCKET of the host for the runtime and its hooks' },
  S25: { title: 'a process that was sent in by exec sends' },
  S26: {
    title: 'two containers in one unit',
    except: Object.fromEntries(PLACES.map((place) => [place, 'a later issue'])),
  },
  S27: { title: 'SIGKILL of the bridge, the client, the whole unit' },
  S28: { title: 'containers that are made first and started later' },
  S29: { title: 'sockets that systemd listens at' },
  S30: { title: 'a thousand messages with descriptors, and nothing left behind' },
  stream: { title: 'a stream of numbered messages, in the middle of which something is killed' },
  logs: { title: "standard output and error are the unit's" },
  stop: { title: "the engine's stop: STOPSIGNAL, KillMode=, TimeoutStopSec=" },
  end: { title: 'exit status and death by signal' },
  pull: {
    title: 'the start timeout while an image is fetched',
    except: {
      runc: NO_IMAGES,
      crun: NO_IMAGES,
      'runc on host': NO_IMAGES,
    },
  },
  others: { title: 'programs that are not ours: C, redis, haproxy, systemd-notify, node' },
  systemd: { title: 'systemd as a container’s first process' },
  'systemd-store': {
    title: 'what the units of systemd in a container store is back in the next one',
    except: {
      docker:
        'its descriptors come back with `sdbridge runtime`, a later issue; that none are taken is tested',
      'runc on host': 'systemd passes them on from 261',
    },
  },
  own: { title: "no container is touched but the unit's own" },
  runtime: {
    title: 'sdbridge runtime in front of another changes nothing for those that do not ask',
  },
  askers: { title: 'who may ask for the sockets of a unit', except: ONLY_DOCKER_ASKS },
  doctor: { title: 'what sdbridge doctor says of a fault, and that it is silent without' },
  install: {
    title: 'sdbridge runtime install is undone to the byte',
    except: Object.fromEntries(
      (['runc', 'crun', 'runc on host'] as const).map((place) => [place, NO_ENGINE]),
    ),
  },
  injection: {
    title: 'containers of a command that the bridge does not know, by CDI and hooks',
    except: Object.fromEntries(
      (['runc', 'crun', 'runc on host'] as const).map((place) => [place, NO_ENGINE]),
    ),
  },
  hooks: {
    title: 'containers that the daemon bridges, of which it hears by hooks',
    except: { docker: 'it reads no hooks' },
  },
  hostile: { title: 'a payload that means harm: the bridge, the manager and the neighbours go on' },
  daemon: { title: 'containers of `sdbridge run --daemon`: no process of ours in their units' },
  refusals: { title: 'what cannot work is refused in one line' },
} as const satisfies Record<string, Scenario>

export type ScenarioId = keyof typeof SCENARIOS
