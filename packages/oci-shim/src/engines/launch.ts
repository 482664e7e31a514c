import type { DescriptorDoor } from './descriptor-request.js'

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
  /** How the container's runtime is told to ask for the descriptors; `undefined` where the engine carries them, or nothing does. */
  readonly request: { readonly door: DescriptorDoor; readonly text: string } | undefined
  /** Whether the container's first process is systemd. */
  readonly systemd: boolean
  /** Whether the engine's client is to be the unit's main process: what the unit is told by signals, it passes on to the payload. */
  readonly isClientMain: boolean
}

/** A command to run: the program, and what follows `argv[0]`. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
}

/** The engine's command line with what the bridge needs, and how to deal with the container from then on. */
export interface Launch extends Command {
  readonly engine: EngineName
  /** `create` starts nothing: there is no container to follow then. */
  readonly verb: 'run' | 'create' | 'start'
  /** The engine's client ends at once and the container goes on (`--detach`): follow it by `wait` and `logs`. */
  readonly detached: boolean
  /** Whether the engine hands descriptors from 3 on to the container. */
  readonly passesFds: boolean
  /**
   * What the client's environment needs to hand descriptors on, beside descriptors from 3 on without close-on-exec; empty if
   * there are none, or if the command line says it all. Where `LISTEN_FDS` is in it, `LISTEN_PID` must be the client's own pid.
   */
  readonly environment: Readonly<Record<string, string>>
  /** The program to start is the engine's own and becomes the container's parent: what it inherits, the container inherits. */
  readonly inheritsState: boolean
  readonly container: ContainerCommands
  /** Lines for the one who wrote the command: what was changed or may not do what it seems to. */
  readonly warnings: readonly string[]
  /**
   * Directories of the user's that the runtime may make as mountpoints, innermost first: remove each, if it is empty, when the
   * container has ended ({@link removeMountpoints}). Only what is not there before, so all of it may go, also after a crash.
   */
  readonly mountpoints: readonly string[]
  /** Writes what the command needs to be there: the copy of a bundle. Call it before the command is run. */
  prepare(): Promise<void>
}

/** What can be done with a container, as commands of its engine. */
export interface ContainerCommands {
  /** Its name or id, by which the engine knows it. */
  readonly name: string
  /** The file that the engine writes the id to once the container is there; before that, an image may be being pulled. */
  readonly idFile: string | undefined
  /**
   * The bundle that it is made of, which its runtime tells, and which tells it from another one of its id; `undefined` where there is
   * none, and for a container that was there before its unit.
   */
  readonly bundle: string | undefined
  /** The same for another name, or for the id: what is called by its name may be another one by now. */
  of(name: string): ContainerCommands
  /** The file that the engine writes the pid of its first process to; `undefined` if there is none. */
  readonly pidFile: string | undefined
  /**
   * Stops it as the engine does: first the image's own stop signal. Run each command in its turn, the next one only if the
   * container is still there so many seconds after the one before has been started. docker, nerdctl and podman count the
   * seconds themselves in the first; the last of every engine is SIGKILL.
   */
  stop(seconds: number): readonly Command[]
  /** Prints what the engine knows of it, as JSON. */
  readonly inspect: Command
  /** Prints the pid of its first process on the host: {@link parseContainerPid} reads it. */
  readonly pid: Command
  /** Prints its exit code when it has ended; `undefined` where the engine has no such command (runc, crun). */
  readonly wait: Command | undefined
  /** Follows what it writes, from its start on; `undefined` where that is on the client's own standard streams. */
  readonly logs: Command | undefined
  /** Removes it by force; succeeds if there is none. */
  readonly remove: Command
  /** Prints the ids of all containers of this unit, running or not, one on a line; `undefined` where there are no labels. */
  readonly list: Command | undefined
}
