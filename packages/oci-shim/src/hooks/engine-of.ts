import { readFileSync } from 'node:fs'
import type { ContainerState } from './container-state.js'

/** What has started a container: the engine, as far as it shows; otherwise the runtime, which is the parent of its hooks. */
export function engineOf({ annotations, bundle }: ContainerState): string {
  const manager = annotations['io.container.manager']
  if (manager === 'libpod') return 'podman'
  if (manager === 'cri-o') return 'cri-o'
  // The bundle of a task, below the namespace that it is in: docker's is moby.
  const namespace = /\/io\.containerd\.runtime\.[\w.]+\/([^/]+)\//.exec(bundle)?.[1]
  if (namespace !== undefined) return namespace === 'moby' ? 'docker' : 'containerd'
  return nameOfProcess(process.ppid)
}

function nameOfProcess(pid: number): string {
  try {
    const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
    if (/^[\w.-]+$/.test(name)) return name
  } catch {
    // It has ended.
  }
  return 'unknown'
}
