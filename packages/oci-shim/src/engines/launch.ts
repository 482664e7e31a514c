/** The container engines whose command lines are known. */
export type EngineName = 'docker' | 'nerdctl' | 'podman' | 'runc' | 'crun'

/** What the bridge has for a container, and what the engine is told of it. */
export interface BridgeFacts {
  /** The directory on the host that holds the container socket; it alone is bound into the container. */
  readonly notifyDirectory: string
  /** Where that directory appears inside: `/run/notify`, unless an option says otherwise. */
  readonly containerDirectory: string
  /** A directory of ours, 0700, for the engine's id and pid files and for the copy of a bundle. */
  readonly privateDirectory: string
  /** What the payload is told, by variables of its environment: `NOTIFY_SOCKET` (a path inside), `WATCHDOG_USEC`, `FDSTORE`. */
  readonly variables: Readonly<Record<string, string>>
  /** The names of the descriptors to pass on (`LISTEN_FDNAMES`), in their order, from 3 on; none if there are no sockets. */
  readonly fdNames: readonly string[]
  /** Which unit this is, for the container's label: `web.service`, with what tells equal names of several managers apart. */
  readonly unit: string
  /** The container's name where the command line gives none. */
  readonly containerName: string
  /** A cgroup below the unit's (as in /proc/self/cgroup) where the container belongs; `undefined` if it cannot be there. */
  readonly cgroupParent: string | undefined
  /** Whether files need a label so that a container may use them. */
  readonly selinux: boolean
}

/** A command to run: the program, and what follows `argv[0]`. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
}

/** The engine's command line with what the bridge needs, and how to deal with the container from then on. */
export interface Launch extends Command {
  readonly engine: EngineName
  /** The engine's client ends at once and the container goes on (`--detach`): follow it by `wait` and `logs`. */
  readonly detached: boolean
  /** Whether the engine hands descriptors from 3 on to the container. */
  readonly passesFds: boolean
  /** The program to start is the engine's own and becomes the container's parent: what it inherits, the container inherits. */
  readonly inheritsState: boolean
  readonly container: ContainerCommands
}

/** What can be done with a container, as commands of its engine. */
export interface ContainerCommands {
  /** Its name or id, by which the engine knows it. */
  readonly name: string
  /** The file that the engine writes the id to once the container is there; before that, an image may be being pulled. */
  readonly idFile: string | undefined
  /** Stops it as the engine does: the image's signal, and SIGKILL after so many seconds. */
  stop(seconds: number): readonly Command[]
  /** Prints the pid of its first process on the host. */
  readonly pid: Command
  /** Prints its exit code when it has ended; `undefined` where the client's own exit status tells. */
  readonly wait: Command | undefined
  /** Follows what it writes, from now on. */
  readonly logs: Command | undefined
  /** Removes it by force; succeeds if there is none. */
  readonly remove: Command
}
