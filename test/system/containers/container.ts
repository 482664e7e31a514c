/** Which engine runs a container. */
export type EngineName = 'docker' | 'podman' | 'runc' | 'crun'

/** A container as a test wants it, whatever the engine. */
export interface Container {
  /** Of the engine's own naming: with docker and podman none unless it says so. */
  name?: string
  /** One of the images of the host: `payload` unless it says so. */
  image?: string
  /** What is run in it. */
  argv: string[]
  env?: Record<string, string>
  /** `uid:gid`. */
  user?: string
  readOnly?: boolean
  /** A first process that does nothing but reap and hand signals on. */
  init?: boolean
  /** Folders and files of the machine, by where they appear inside. */
  mounts?: Record<string, string>
  /** More options of the engine, in front of the image; of docker and podman. */
  options?: string[]
  /** The last word about `config.json`; of runc and crun. */
  edit?: (config: RuntimeConfig) => void
  /** Has the container removed when it has ended; true unless it says so. */
  isRemoved?: boolean
}

/** What tests touch of a bundle's `config.json`. */
export interface RuntimeConfig {
  process: {
    args: string[]
    env: string[]
    cwd: string
    terminal: boolean
    user: { uid: number; gid: number }
    noNewPrivileges?: boolean
    capabilities: Record<string, string[]>
    rlimits?: unknown[]
  }
  root: { path: string; readonly: boolean }
  mounts: { destination: string; type?: string; source: string; options?: string[] }[]
  annotations?: Record<string, string>
  hooks?: Record<string, { path: string; args?: string[]; env?: string[] }[]>
  linux: {
    namespaces: { type: string; path?: string }[]
    uidMappings?: { containerID: number; hostID: number; size: number }[]
    gidMappings?: { containerID: number; hostID: number; size: number }[]
    [key: string]: unknown
  }
  [key: string]: unknown
}
