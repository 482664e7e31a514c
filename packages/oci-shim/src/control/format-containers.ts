import type { ContainerStatus } from './control-message.js'

const HEADINGS = [
  'NAME',
  'UNIT',
  'ENGINE',
  'CONTAINER',
  'STATE',
  'READY',
  'PING',
  'FORWARDED',
  'DROPPED',
  'STATUS',
]
const MOST_OF_ID = 24

/** A table, its headings first. The status comes last: it is as long as it likes. */
export function formatContainers(list: readonly ContainerStatus[], nowMs: number): string[] {
  const rows = [HEADINGS, ...list.map((each) => rowOf(each, nowMs))]
  const widths = HEADINGS.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => (column === HEADINGS.length - 1 ? cell : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}

function rowOf(status: ContainerStatus, nowMs: number): string[] {
  const { container, name, unit } = status
  return [
    name,
    unit,
    container.engine,
    container.id.slice(0, MOST_OF_ID),
    status.state,
    since(status.readyAt, nowMs),
    since(status.pingedAt, nowMs),
    String(status.forwarded),
    droppedOf(status),
    status.status ?? '',
  ]
}

function droppedOf({ droppedFields, droppedMessages }: ContainerStatus): string {
  const reasons = [
    ...Object.entries(droppedMessages).map(([reason, count]) => `${count} ${reason}`),
    ...Object.entries(droppedFields).map(([reason, count]) => `${count} ${reason} (fields)`),
  ]
  return reasons.length === 0 ? '0' : reasons.join(', ')
}

/** How long ago, in the largest unit that fits and the next one. */
function since(timeMs: number | undefined, nowMs: number): string {
  if (timeMs === undefined) return '-'
  const seconds = Math.max(0, Math.floor((nowMs - timeMs) / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`
  return `${Math.floor(seconds / 86_400)}d${Math.floor((seconds % 86_400) / 3600)}h`
}
