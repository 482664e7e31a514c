/** @typedef {{ title: string, lines: string[] }} Section */

/**
 * The sections of docs/benchmarks.md, each with the date and the machine of its run, for a run that measures some groups anew: a ratio is one of its own run,
 * so the tables of two runs can stand on one page, as long as each tells where it comes from.
 *
 * @param {string} document As it was.
 * @param {readonly string[]} titles Those that are kept.
 * @returns {Section[]}
 */
export function keptSections(document, titles) {
  const [head = '', ...sections] = document.split(/^## /m)
  const origin = `_From the run of ${fact(head, 'date')}, on ${fact(head, 'processor')}._`
  return sections
    .map((section) => section.trim().split('\n'))
    .map(([title = '', ...lines]) => ({ title, lines: withOrigin(lines, origin) }))
    .filter(({ title }) => titles.includes(title))
}

/** @param {string} head @param {string} name */
function fact(head, name) {
  return new RegExp(`^\\| ${name} +\\| (.*?) +\\|`, 'm').exec(head)?.[1] ?? '?'
}

/** @param {string[]} lines @param {string} origin */
function withOrigin(lines, origin) {
  return lines.some((line) => line.startsWith('_From the run of ')) ? lines : ['', origin, ...lines]
}
