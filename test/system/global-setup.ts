import type { TestProject } from 'vitest/node'
import { missingRequirements, skipOrFail } from './machine/requirements.js'
import { ensureRootfs } from './machine/rootfs.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** Why no machine can be booted here; empty when one can. */
    missingRequirements: string[]
    /** The root file system with the newest systemd; undefined when none could be made. */
    newestRoot: string | undefined
  }
}

/**
 * Runs once, before the first test: a root file system takes half a minute to make, and says so
 * while it does.
 */
export async function setup(project: TestProject): Promise<void> {
  const missing = await missingRequirements()
  project.provide('missingRequirements', missing)
  project.provide('newestRoot', skipOrFail(missing) ? undefined : await newestRoot())
}

async function newestRoot(): Promise<string | undefined> {
  try {
    const { path } = await ensureRootfs()
    return path
  } catch (error) {
    skipOrFail([error instanceof Error ? error.message : String(error)])
    return undefined
  }
}
