export interface Claim {
  /** The head of its table. */
  table: string
  claim: string
  tests: { file: string; title: string }[]
  /** What else is in the column of the tests, and was meant to be one. */
  rest: string
}

/** A link to a file, and the title of a test in it as code. */
const TEST = /\[[^\]]+\]\((?<file>[^)]+)\) `(?<title>[^`]+)`/g

/** The rows of those tables of a page that say in their last column, "Tests", what shows that the first one is so. */
export function claimsOf(page: string): Claim[] {
  const claims: Claim[] = []
  let table: string | undefined
  for (const line of page.split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim())
    const [claim = '', last = ''] = [cells[1], cells.at(-2)]
    if (cells.length < 4) table = undefined
    else if (last === 'Tests') table = claim
    else if (table !== undefined && !/^-+$/.test(last))
      claims.push({ table, claim, tests: testsOf(last), rest: restOf(last) })
  }
  return claims
}

function testsOf(cell: string): Claim['tests'] {
  return [...cell.matchAll(TEST)].map(({ groups }) => ({
    file: groups!['file']!,
    title: groups!['title']!,
  }))
}

function restOf(cell: string): string {
  return cell.replaceAll(TEST, '').replaceAll('·', '').trim()
}
