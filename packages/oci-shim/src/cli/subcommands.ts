/** What every subcommand's module has. */
export interface SubcommandModule {
  readonly HELP: string
  /** @returns The exit code. */
  main(args: readonly string[]): Promise<number>
}

export type Subcommand =
  | 'run'
  | 'cleanup'
  | 'unit'
  | 'doctor'
  | 'runtime'
  | 'cdi'
  | 'hook'
  | 'prepare'
  | 'daemon'
  | 'ps'
  | 'events'
  | 'version'
  | 'help'

export function isSubcommand(name: string): name is Subcommand {
  return Object.hasOwn(LOADERS, name)
}

/** Loads what one subcommand needs: there is a bridge for every container, and it starts with each. */
export async function loadSubcommand(name: Subcommand): Promise<SubcommandModule> {
  return await LOADERS[name]()
}

const LOADERS: Record<Subcommand, () => Promise<SubcommandModule>> = {
  run: () => import('./run-command.js'),
  cleanup: () => import('./cleanup-command.js'),
  unit: () => import('./unit-command.js'),
  doctor: () => import('./doctor-command.js'),
  runtime: () => import('./runtime-command.js'),
  cdi: () => import('./cdi-command.js'),
  hook: () => import('./hook-command.js'),
  prepare: () => import('./prepare-command.js'),
  daemon: () => import('./daemon-command.js'),
  ps: () => import('./ps-command.js'),
  events: () => import('./events-command.js'),
  version: () => import('./version-command.js'),
  help: () => import('./help-command.js'),
}
