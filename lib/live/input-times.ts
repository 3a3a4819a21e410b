/** Times are remembered for this many samples: longer than any pause that ends a turn. */
const REMEMBERED = 30 * 16_000

/** Tells when a sample of the input was written, by `performance.now()`. */
export class InputTimes {
  #marks: { end: number; written: number }[] = []

  /** The samples before `end`, and after those of the last call, were written at this time. */
  add(end: number, written: number): void {
    this.#marks.push({ end, written })
    const kept = this.#marks.findIndex(mark => mark.end > end - REMEMBERED)
    if (kept > 0) this.#marks.splice(0, kept)
  }

  /** When the sample before a position was written. */
  of(position: number): number {
    return (this.#marks.find(mark => mark.end >= position) ?? this.#marks.at(-1))?.written ?? performance.now()
  }
}
