/** Something that is wrong with a unit, its engine or the host, or that may become so. */
export interface Diagnosis {
  /** Stable, for programs and for the documentation. */
  readonly code: string
  /**
   * - `fault`: it does not work.
   * - `risk`: it works until something else happens, such as a crash, a slow network, a stop.
   * - `hint`: it may be meant.
   */
  readonly severity: 'fault' | 'risk' | 'hint'
  /** What was found, in one line. */
  readonly found: string
  /** What to do about it, in one line. */
  readonly remedy: string
}

/** @returns A function that makes a diagnosis of this severity. */
function ofSeverity(
  severity: Diagnosis['severity'],
): (code: string, found: string, remedy: string) => Diagnosis {
  return (code, found, remedy) => ({ code, severity, found, remedy })
}

export const fault: ReturnType<typeof ofSeverity> = ofSeverity('fault')
export const risk: ReturnType<typeof ofSeverity> = ofSeverity('risk')
export const hint: ReturnType<typeof ofSeverity> = ofSeverity('hint')
