import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { scenarioTable } from './containers/scenario-table.js'
import { missingForContainers, missingRequirements, skipOrFail } from './machine/requirements.js'
import { ensureRootfs } from './machine/rootfs.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** Why no machine can be booted here; empty when one can. */
    missingRequirements: string[]
    /** Why no containers can be run here, beside that. */
    missingForContainers: string[]
    /** The root file system with the newest systemd; undefined when none could be made. */
    newestRoot: string | undefined
    /** The file in which tests of containers write down what became of them. */
    scenarioResults: string
  }
}

/**
 * Runs once, before the first test: a root file system takes a minute or two to make, and says so
 * while it does.
 */
export async function setup(project: TestProject): Promise<void> {
  const missing = await missingRequirements()
  project.provide('missingRequirements', missing)
  const forContainers = await missingForContainers()
  project.provide('missingForContainers', forContainers)
  if (missing.length === 0) skipOrFail(forContainers)
  project.provide('newestRoot', skipOrFail(missing) ? undefined : await newestRoot())
  results = mkdtempSync(join(tmpdir(), 'sdbridge-scenarios-'))
  writeFileSync(join(results, 'lines'), '')
  project.provide('scenarioResults', join(results, 'lines'))
}

/** Runs once, after the last test. */
export function teardown(): void {
  if (results === undefined) return
  const table = scenarioTable(join(results, 'lines'))
  if (table !== '') process.stderr.write(`\nScenarios of containers:\n\n${table}\n`)
  rmSync(results, { recursive: true })
}

let results: string | undefined

async function newestRoot(): Promise<string | undefined> {
  try {
    const { path } = await ensureRootfs()
    return path
  } catch (error) {
    skipOrFail([error instanceof Error ? error.message : String(error)])
    return undefined
  }
}
