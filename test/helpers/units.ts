/** Units without stress, pauses and word boundaries: phonemes, and tones where there are. */
export function bare(units: string): string {
  return units.replace(/[ˈˌ,.?! ]/gu, '')
}

/** The tones alone. */
export function tonesOf(units: string): string {
  return units.replace(/[^→↗↓↘]/gu, '')
}

/** Symbols that are inserted, left out or exchanged on the shortest way from one text to the other. */
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
