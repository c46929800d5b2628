/** Numbers and tables for people. */

/** `3,745,216,384` */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** `3.75 billion`, `99,536`: three digits of what is too long to read. */
export function roughly(value: number): string {
  return value < 1e6
    ? count(value)
    : value < 1e9
      ? `${(value / 1e6).toPrecision(3)} million`
      : `${(value / 1e9).toPrecision(3)} billion`
}

/** `15.0 GB`, in decimal units as the hub shows them. */
export function bytes(value: number): string {
  const units = ['kB', 'MB', 'GB', 'TB']
  if (value < 1000) return `${value} B`
  const power = Math.min(Math.floor(Math.log10(value) / 3), units.length)
  return `${(value / 1000 ** power).toFixed(1)} ${units[power - 1]}`
}

/** `45 s`, `12 min`, `3 h 20 min` */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `(32, 768)` */
export function shapeText(shape: readonly number[]): string {
  return `(${shape.join(', ')})`
}

/** Columns as wide as their longest cell, two spaces apart; those named in `right` are right-aligned. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const columns = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  const padded = (cell: string, i: number) =>
    right.includes(i) ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)
  return rows.map((row) => row.map(padded).join('  ').trimEnd()).join('\n')
}
