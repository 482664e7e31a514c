/**
 * The titles of the tests in a file: of `test(`, of `test.each(…)(` and the like, and of `scenario(`, which has an id in front. That of a `describe` is none.
 *
 * @param source The text of the file.
 */
export function testTitles(source: string): string[] {
  return [...source.matchAll(TITLE)]
    .filter(({ index, groups }) => groups!['caller'] !== undefined || !isDescribe(source, index))
    .map(({ groups }) => groups!['title']!)
}

const TITLE =
  /(?:\b(?<caller>test|scenario)\(|\)\()\s*(?:'\w+',\s*)?(?<quote>['"`])(?<title>.+?)\k<quote>,/g

/** Whether what is called at the second parenthesis of `…(…)('title'` groups tests. */
function isDescribe(source: string, index: number): boolean {
  const callers = source.slice(0, index).matchAll(/\b(describe\w*|test|scenario)[.(]/g)
  return [...callers].at(-1)?.[1]?.startsWith('describe') === true
}
