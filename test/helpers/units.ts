/** Removes stress, pauses and word boundaries from units; phonemes and tones remain. */
export function bare(units: string): string {
  return units.replace(/[ˈˌ,.?! ]/gu, '')
}

/** Only the tones. */
export function tonesOf(units: string): string {
  return units.replace(/[^→↗↓↘]/gu, '')
}

/** The edit distance between two texts: the number of symbols that must be inserted, removed or replaced. */
export function edits(a: string, b: string): number {
  const [from, to] = [[...a], [...b]]
  let row = to.map((_, j) => j + 1)
  for (const [i, x] of from.entries()) {
    const next: number[] = []
    for (const [j, y] of to.entries()) {
      const diagonal = j === 0 ? i : (row[j - 1] ?? 0)
      next.push(Math.min((row[j] ?? 0) + 1, (j === 0 ? i + 1 : (next[j - 1] ?? 0)) + 1, diagonal + (x === y ? 0 : 1)))
    }
    row = next
  }
  return row.at(-1) ?? from.length
}
