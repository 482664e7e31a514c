/** The fields of one line of comma-separated values, as Go's encoding/csv reads and writes them: `--mount`'s value. */
export function parseCsvFields(line: string): string[] {
  const fields = line.match(/(?:^|,)(?:"(?:[^"]|"")*"|[^,]*)/g) ?? []
  return fields.map((field) => {
    const text = field.replace(/^,/, '')
    return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text
  })
}

/** The line that has these fields. */
export function formatCsvFields(fields: readonly string[]): string {
  return fields
    .map((field) => (/[",\n]|^\s/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',')
}
