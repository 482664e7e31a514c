import { readFileSync } from 'node:fs'
import { PLACES, SCENARIOS, type Place, type Scenario } from './scenarios.js'

interface Line {
  id: string
  place: Place
  situation: string
  result: string
}

/**
 * What became of the scenarios, each with each engine: a table to be printed; empty if none was tried.
 *
 * @param file With a line of JSON for each time that a test began or ended.
 */
export function scenarioTable(file: string): string {
  const lines = readLines(file)
  if (lines.length === 0) return ''
  const reasons: string[] = []
  const tried = Object.entries<Scenario>(SCENARIOS).filter(([id]) =>
    lines.some((line) => line.id === id),
  )
  const rows = tried.map(([id, scenario]) => [
    id,
    scenario.title,
    ...PLACES.map((place) => cell(id, scenario, place, lines, reasons)),
  ])
  const table = [['', 'scenario', ...PLACES], ...rows]
  const widths = table[0]!.map((_, index) => Math.max(...table.map((row) => row[index]!.length)))
  const text = table.map((row) =>
    row
      .map((each, index) => each.padEnd(widths[index]!))
      .join('  ')
      .trimEnd(),
  )
  const notes = reasons.map((reason, index) => `(${index + 1}) does not apply: ${reason}`)
  return [...text, '', ...notes, ''].join('\n')
}

function cell(
  id: string,
  { except = {} }: Scenario,
  place: Place,
  lines: readonly Line[],
  reasons: string[],
): string {
  // The last word about each test.
  const results = new Map(
    lines
      .filter((line) => line.id === id && line.place === place)
      .map(({ situation, result }) => [situation, result]),
  )
  const reason = except[place]
  const mark = reason === undefined ? '' : ` (${numberOf(reason, reasons)})`
  if (results.size === 0) return reason === undefined ? 'not run' : `-${mark}`
  const failed = [...results.values()].filter((result) => result !== 'passed').length
  return (failed === 0 ? `passed ${results.size}` : `FAILED ${failed} of ${results.size}`) + mark
}

function numberOf(reason: string, reasons: string[]): number {
  if (!reasons.includes(reason)) reasons.push(reason)
  return reasons.indexOf(reason) + 1
}

function readLines(file: string): Line[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}
