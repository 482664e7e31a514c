/** What `sdbridge run` is asked to do. The command line has been read and checked. */
export interface RunOptions {
  /** The engine's command line, or any other. */
  readonly command: readonly string[]
  /** Whose messages count: every process that reaches the container socket, the container's first process, or these uids. */
  readonly senders: 'all' | 'init' | readonly number[]
  /** Hands `MAINPID=` on, translated. Needs root and `NotifyAccess=all`; the bridge is no longer the main process then. */
  readonly mainPid: boolean
  /** Hands `NOTIFYACCESS=` on. */
  readonly notifyAccess: boolean
  /** How many descriptors the container may store; `undefined`: what the unit may. */
  readonly storeLimit: number | undefined
  /** For how long the start timeout is extended while an image is pulled, in seconds; 0 for not at all. */
  readonly pullLimitSec: number
  /** Where the container socket's directory appears inside the container. */
  readonly containerDirectory: string
  /** Whether the unit's descriptors are offered to the container of a command that is no known engine's, whose runtime asks for them. */
  readonly offerSockets: boolean
  /** Units whose processes may ask for the unit's descriptors, beside those of the engine. */
  readonly engineUnits: readonly string[]
  /** Whether the container's first process is systemd. */
  readonly systemd: boolean
  /** Whether `sdbridge daemon` bridges the container: this process becomes the engine's client. */
  readonly daemon: boolean
  /** Prints the command that would be run, and does nothing else. */
  readonly print: boolean
  /** Stands for the unit where there is none: under another service manager, say. */
  readonly unit?: string | undefined
  /** How long the unit may take to stop, in seconds, where systemd does not tell (`TimeoutStopSec=`). */
  readonly timeoutStopSec?: number | undefined
}

/** What `sdbridge cleanup` is asked to do. */
export interface CleanupOptions {
  /** The unit whose container is removed; `undefined`: the one that this process belongs to. */
  readonly unit?: string | undefined
}
