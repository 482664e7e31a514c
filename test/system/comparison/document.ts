import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import type { Observation } from './observation.js'
import type { Rival } from './rivals.js'
import type { Scenario } from './scenarios.js'
import type { Seen } from './seen.js'

/** Where the document is that `documentOf()` makes. */
export const DOCUMENT: string = fileURLToPath(
  new URL('../../../docs/comparison.md', import.meta.url),
)

/** docs/comparison.md: what was seen, and nothing else. */
export async function documentOf(
  seen: Seen,
  rivals: readonly Rival[],
  scenarios: readonly Scenario[],
): Promise<string> {
  const lines = [
    '# Beside its rivals',
    '',
    '<!-- Written by `pnpm comparison`. Do not edit. -->',
    '',
    'Ways to make a container a unit of systemd, and what each makes of the protocol. Each has [the unit file that suits it',
    'best](#the-unit-files), and all are asked the same questions on a real systemd, by a payload that sends the bytes itself and knows',
    'nothing of any of them. What is here was seen in those runs: `pnpm comparison` repeats them and writes this page, and the system',
    'tests fail when they see something else.',
    '',
    ...table(['Program', 'Version'], Object.entries(seen.versions)),
    '',
    'Not compared here: memory and speed, which are in the [benchmarks](benchmarks.md).',
    '',
    '## All answers',
    '',
    ...table(
      ['', ...rivals.map(({ title }) => title)],
      scenarios.map((scenario) => [
        `[${scenario.title}](#${anchorOf(scenario.title)})`,
        ...rivals.map((rival) => WORDS[observationOf(seen, rival, scenario).answer]),
      ]),
    ),
    ...scenarios.flatMap((scenario) => chapterOf(seen, rivals, scenario)),
    '',
    '## The unit files',
    '',
    'What is below `[Service]`, for a container that is called `web`; questions add settings of their own, as they say.',
    ...rivals.flatMap((rival) => unitOf(rival, seen)),
  ]
  const config = await resolveConfig(DOCUMENT)
  return format(lines.join('\n'), { ...config, parser: 'markdown' })
}

const WORDS: Record<Observation['answer'], string> = {
  yes: 'yes',
  partly: 'partly',
  no: 'no',
  none: '–',
}

/** What was seen of a rival. */
function observationOf(seen: Seen, rival: Rival, scenario: Scenario): Observation {
  const observation = seen.rivals[rival.id]?.[scenario.id]
  if (observation !== undefined) return observation
  throw new Error(`nothing was seen of ${rival.title} in “${scenario.title}”: run pnpm comparison`)
}

/** One row for all of whom the same was seen. */
function chapterOf(seen: Seen, rivals: readonly Rival[], scenario: Scenario): string[] {
  const rows = new Map<string, { observation: Observation; titles: string[] }>()
  for (const rival of rivals) {
    const observation = observationOf(seen, rival, scenario)
    const key = JSON.stringify(observation)
    const row = rows.get(key) ?? { observation, titles: [] }
    row.titles.push(rival.title)
    rows.set(key, row)
  }
  const body = [...rows.values()].map(({ observation: { answer, fact }, titles }) => [
    WORDS[answer],
    fact,
    titles.join('; '),
  ])
  return ['', `## ${scenario.title}`, '', scenario.how, '', ...table(['', 'Seen', 'Of'], body)]
}

function unitOf(rival: Rival, { versions }: Seen): string[] {
  const container = { name: 'web', argv: [], mounts: {}, hasUserNamespace: false }
  const programs = rival.programs.map((program) => `${program} ${versions[program]}`)
  return [
    ...['', `### ${rival.title}`, ''],
    [`With ${programs.join(', ')}.`, rival.beside ?? ''].join(' ').trim(),
    ...['', '```ini', ...rival.settings(container).trimEnd().split('\n'), '```'],
  ]
}

function table(head: string[], rows: readonly string[][]): string[] {
  const rule = head.map(() => '---')
  return [head, rule, ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`)
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

/** As GitHub names a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-')
}
