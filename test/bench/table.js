/** @typedef {import('./rounds.js').Comparison} Comparison */

/** One comparison as rows of words, the head first. @param {Comparison} comparison @returns {string[][]} */
export function rowsOf({ unit, second, results }) {
  const format = unit === 'ms' ? milliseconds : whole
  const hasCpu = results.some(({ cpu }) => cpu !== undefined)
  const isOfMessages = results.some(({ late }) => late !== undefined)
  const hasHeap = results.some(({ heap }) => heap !== undefined)
  const head = [
    '',
    'ratio',
    ...(second ? [`× ${second.name}`] : []),
    unit === 'us' ? 'µs' : unit,
    'quartiles',
    ...(isOfMessages ? ['99 %', 'added'] : []),
    ...(hasCpu ? ['CPU ns'] : []),
    ...(hasHeap ? ['heap KiB'] : []),
    '',
  ]
  const rows = results.map((result) => {
    const { title, time, ratio, secondRatio, late, added, cpu, heap, arrived } = result
    if (time === undefined || ratio === undefined) return [title, 'not here']
    return [
      title,
      short(ratio),
      ...(second ? [short(secondRatio ?? Number.NaN)] : []),
      format(time.median),
      `${format(time.low)} … ${format(time.high)}`,
      ...(isOfMessages ? [whole(late ?? Number.NaN), whole(added ?? Number.NaN)] : []),
      ...(hasCpu ? [whole(cpu ?? Number.NaN)] : []),
      ...(hasHeap ? [whole((heap ?? Number.NaN) / 1024)] : []),
      // More than was sent would be our mistake, and shall be seen.
      arrived === undefined || arrived === 1 ? '' : `${percent(arrived)} % arrived`,
    ]
  })
  return [head, ...rows.map((row) => [...row, ...Array(head.length - row.length).fill('')])]
}

/** A table for a terminal. @param {Comparison} comparison */
export function textTable(comparison) {
  const rows = rowsOf(comparison)
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const lines = rows.map((row) =>
    row
      .map((word, column) => {
        const width = widths?.[column] ?? 0
        return isText(column, row) ? word.padEnd(width) : word.padStart(width)
      })
      .join('  ')
      .trimEnd(),
  )
  return `${comparison.title}\n${lines.join('\n')}\n`
}

// Cut, not rounded: nearly all is not all.
/** @param {number} part */
function percent(part) {
  return (Math.floor(part * 1000) / 10).toFixed(1)
}

/** @param {number} ratio */
function short(ratio) {
  if (Number.isNaN(ratio)) return ''
  return ratio < 0.01 ? ratio.toFixed(4) : ratio.toFixed(2)
}

/** @param {number} column @param {string[]} row */
function isText(column, row) {
  return column === 0 || column === row.length - 1
}

/** @param {number} value */
function whole(value) {
  return Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en')
}

/** @param {number} value */
function milliseconds(value) {
  return value.toFixed(1)
}
