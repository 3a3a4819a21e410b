import { englishWords } from './english-numbers.js'
import { spell, spellLetters } from './lexicon.js'

/*
 * English text → units, in the conventions of training/data/g2p.py: words separated by spaces, stress before the vowel, weak forms of
 * function words, punctuation as pauses.
 */

const PAUSES: Record<string, string> = { ';': ',', ':': ',', ',': ',', '.': '.', '?': '?', '!': '!' }

/** Words whose form depends on what follows. */
function inContext(word: string, beforePause: boolean): string | undefined {
  switch (word) {
    case 'a':
      return beforePause ? 'ˈA' : 'ə'
    case 'an':
      return 'ən'
    case 'i':
      return 'ˌI'
    case "'em":
      return 'əm'
    case 'to':
      return beforePause ? 'tˈu' : 'tə'
    case 'in':
      return beforePause ? 'ˈɪn' : 'ɪn'
    case 'the':
      return 'ðə'
    default:
      return undefined
  }
}

/** English text as units. Loads the lexicon at the first call. */
export async function englishToUnits(text: string): Promise<string> {
  // Letters with marks lose them: café is looked up as cafe.
  const plain = englishWords(text).normalize('NFD').replace(/\p{M}/gu, '')
  const tokens = plain.match(/(?:[A-Z]\.){2,}|(?<![A-Za-z])'em\b|[A-Za-z]+(?:'[A-Za-z]+)*'?|[,.?!;:]/g) ?? []
  let out = ''
  for (const [i, token] of tokens.entries()) {
    const pause = PAUSES[token]
    if (pause) {
      if (out && !/[,.?!]$/.test(out)) out += pause
      continue
    }
    const next = tokens[i + 1]
    const beforePause = next === undefined || next in PAUSES
    const units =
      inContext(token.toLowerCase(), beforePause) ??
      (/^(?:[A-Z]\.)+$/.test(token) ? spellLetters(token) : await spell(token))
    if (units) out += (out ? ' ' : '') + units
  }
  return out
}
