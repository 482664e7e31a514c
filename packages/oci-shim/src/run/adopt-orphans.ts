import { OrphanReaper, setSubreaper } from '@sdbridge/syscalls'

/**
 * Makes this process the parent of what its children leave behind, from now on: a container whose runtime leaves at once, whose exit
 * status is then ours to know. What else is left is waited for, a second after its end: it would stay a zombie as long as the container lives.
 */
export function adoptOrphans(): void {
  setSubreaper(true)
  try {
    // It ends with this process.
    void new OrphanReaper()
  } catch {
    // The kernel does not list children (CONFIG_PROC_CHILDREN). Then they stay zombies, and the container runs all the same.
  }
}
