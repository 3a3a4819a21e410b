import type { CtcText } from '../binding.js'
import type { HeardUnit, HeardWord } from '../turn.js'

/** A unit with its id. */
export type CtcUnit = HeardUnit & { id: number }

/** Joins letters or pieces of words into words, as `ctc` says. */
export function ctcWords(units: readonly CtcUnit[], ctc: CtcText): HeardWord[] {
  const special = new Set(ctc.special)
  const words: HeardWord[] = []
  let word: HeardWord | undefined
  for (const { id, unit, start, end } of units) {
    if (special.has(id)) continue
    const parts = ctc.wordDelimiter ? unit.split(ctc.wordDelimiter) : [unit]
    for (const [i, part] of parts.entries()) {
      if (i > 0) word = undefined
      if (part === '') continue
      if (word) {
        word.word += ctc.separator + part
        word.end = end
      } else words.push((word = { word: part, start, end }))
    }
  }
  return ctc.lowerCase ? words.map(w => ({ ...w, word: w.word.toLowerCase() })) : words
}
