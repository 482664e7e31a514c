/** The name of a variable as an environment has it, `NAME=value`; empty for what is no text. */
export function nameOfVariable(variable: unknown): string {
  return typeof variable === 'string' ? variable.replace(/=.*$/s, '') : ''
}

/** The value that a variable has in an environment, of which the last counts; `undefined` if it is not there. */
export function valueOfVariable(environment: readonly unknown[], name: string): string | undefined {
  const prefix = `${name}=`
  const found = environment.findLast(
    (each): each is string => typeof each === 'string' && each.startsWith(prefix),
  )
  return found?.slice(prefix.length)
}
