/** The engines that a launcher can be made known to. */
export const ENGINES = ['docker', 'containerd', 'podman', 'crio'] as const
export type InstallEngine = (typeof ENGINES)[number]

export interface InstallOptions {
  /** To which it is made known, or of which it is taken away. */
  readonly engines: readonly InstallEngine[]
  /** By which containers ask for it. */
  readonly name: string
  /** The runtime to become; `undefined` for the one that the engine would start. */
  readonly lowLevel: string | undefined
  /** Where launchers are; an absolute path. */
  readonly directory: string
  /** Each engine's configuration file; of podman and CRI-O our own one. */
  readonly files: Readonly<Record<InstallEngine, string>>
  /** Tells what would be done. */
  readonly isDryRun: boolean
}

export interface UninstallOptions extends Omit<InstallOptions, 'lowLevel'> {
  /** Also while containers have it. */
  readonly isForced: boolean
}
