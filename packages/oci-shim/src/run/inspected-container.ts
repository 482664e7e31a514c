import { UNIT_LABEL } from '../engines/labels.js'

/** Whose a container is, in what its engine says of it. */
export interface InspectedContainer {
  /** By docker, nerdctl and podman. */
  readonly id: string | undefined
  /** The unit that it says it belongs to. */
  readonly unit: string | undefined
  /** Whether it was created and nothing of it was ever started, by docker, nerdctl and podman. */
  readonly isUnstarted: boolean
  /** Of its first process on this host, by docker, nerdctl and podman; 0 if it has none. */
  readonly pid: number | undefined
  /** By runc and crun. */
  readonly bundle: string | undefined
}

/** Reads what an engine has printed: an object, or a list of one. */
export function readInspected(text: string): InspectedContainer {
  const facts = parse(text)
  return {
    id: facts?.Id,
    unit: facts?.Config?.Labels?.[UNIT_LABEL] ?? facts?.annotations?.[UNIT_LABEL],
    isUnstarted: /^(?:created|configured|initialized)$/.test(facts?.State?.Status ?? ''),
    pid: facts?.State?.Pid,
    bundle: facts?.bundle,
  }
}

interface Inspected {
  Id?: string
  State?: { Status?: string; Pid?: number }
  Config?: { Labels?: Record<string, string> }
  annotations?: Record<string, string>
  bundle?: string
}

function parse(text: string): Inspected | undefined {
  try {
    const parsed = JSON.parse(text) as Inspected | Inspected[]
    return Array.isArray(parsed) ? parsed[0] : parsed
  } catch {
    return undefined
  }
}
