/** How a program takes its options: what its command line means is in these tables, and not in the command line. */
export interface OptionSyntax {
  /**
   * `pflag` (docker, nerdctl, podman): `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, switches in one word.
   * `go-flag` (runc): `-name` is `--name`, no short options in one word.
   * `argp` (crun): as getopt_long(3), with abbreviated names.
   */
  readonly grammar: 'pflag' | 'go-flag' | 'argp'
  /** Whether options are also looked for after the first operand. */
  readonly interspersed: boolean
  /** The long names of options that take a value. */
  readonly values: ReadonlySet<string>
  /** The long names of those that take none, except as `--name=false`. */
  readonly switches: ReadonlySet<string>
  /** The long name that a letter stands for. */
  readonly letters: Readonly<Record<string, string>>
  /** Other long names of options. */
  readonly synonyms: Readonly<Record<string, string>>
}

/** A table from lists of names in one text. */
export function optionSyntax(
  grammar: OptionSyntax['grammar'],
  { interspersed = false, values = '', switches = '', letters = {}, synonyms = {} }: OptionLists,
): OptionSyntax {
  return {
    grammar,
    interspersed,
    values: new Set(values.split(/\s+/).filter(Boolean)),
    switches: new Set(switches.split(/\s+/).filter(Boolean)),
    letters,
    synonyms,
  }
}

export interface OptionLists {
  interspersed?: boolean
  values?: string
  switches?: string
  letters?: Record<string, string>
  synonyms?: Record<string, string>
}
