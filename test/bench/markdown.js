import { format, resolveConfig } from 'prettier'
import { keptSections } from './kept-sections.js'
import { rowsOf } from './table.js'

/**
 * docs/benchmarks.md, from what `--json` writes.
 *
 * @param {import('./bench.js').Report} report
 * @param {string} previous The document as it was: what this run has not measured is kept.
 * @param {readonly string[]} order The titles of all groups.
 */
export async function markdownOf(
  { warning, machine, options, missing, comparisons },
  previous,
  order,
) {
  const measured = comparisons.map(section)
  const titles = new Set(measured.map(({ title }) => title))
  const others = order.filter((title) => !titles.has(title))
  const sections = [...keptSections(previous, others), ...measured].toSorted(
    (one, other) => order.indexOf(one.title) - order.indexOf(other.title),
  )
  const lines = [
    '# Benchmarks',
    '',
    '<!-- Written by `pnpm bench --write`. Do not edit. -->',
    '',
    'What is left in JavaScript of the speed of C, and what libsystemd and other packages make of it. `pnpm bench` makes',
    'these tables on any machine; only ratios of one run mean anything.',
    '',
    '- A ratio of 1 is as fast as the first row of its table, 0.5 takes twice the time. Higher is better. "× libsystemd" is',
    '  the same beside sd_notify() in C, "× socat" beside socat, "× relay" beside the relay in C, "× one socket" beside the daemon with',
    '  one container, "× sh" beside a shell.',
    `- The contestants run in turns, ${options.rounds} times, each in a process of its own that warms up first, with`,
    `  ${options.count.toLocaleString('en')} messages of ten bytes (\`WATCHDOG=1\`). The numbers are medians, with the quartiles beside them.`,
    '- "CPU ns" is the processor time of the process, all its threads and the kernel included, for a message.',
    '- Root runs it in a network namespace of its own, where a queue holds 512 messages, as under systemd. The kernel’s',
    '  own default is 10.',
    '- Everybody sends to the same kind of socket, a file, and nobody is asserted to be fast.',
    '',
    ...(warning === undefined ? [] : [`**${warning}**`, '']),
    '| Machine | |',
    '| --- | --- |',
    ...Object.entries(machine).map(([name, value]) => `| ${name} | ${value} |`),
    ...missing.map((sentence) => `\nNot here: ${sentence}`),
    ...sections.flatMap((each) => ['', `## ${each.title}`, ...each.lines]),
  ]
  const config = await resolveConfig(import.meta.filename)
  return await format(lines.join('\n'), { ...config, parser: 'markdown' })
}

/** @param {import('./rounds.js').Comparison} comparison */
function section(comparison) {
  const [head = [], ...rows] = rowsOf(comparison)
  const rule = head.map((_, column) =>
    column === 0 || column === head.length - 1 ? '---' : '---:',
  )
  const table = [head, rule, ...rows.map(code)].map((row) => `| ${row.join(' | ')} |`)
  return { title: comparison.title, lines: ['', comparison.method, '', ...table] }
}

/** @param {string[]} row */
function code([title = '', ...rest]) {
  return [title.replaceAll('|', '\\|'), ...rest]
}
