import { isHomograph, readingOf, readingOfCapitals } from './homographs.js'
import { spell, spellLetters } from './lexicon.js'
import { englishWords } from './normalize.js'
import { CHANGE, FIXED, SPELL } from '../marks.js'

/*
 * English text → units, in the conventions of training/data/g2p.py: words separated by spaces, stress before the vowel, weak forms of
 * function words, punctuation as pauses.
 */

const PAUSES: Record<string, string> = { ';': ',', ':': ',', ',': ',', '.': '.', '?': '?', '!': '!' }
const TOKEN = new RegExp(
  `${FIXED}|${CHANGE}|${SPELL}[a-z]+|(?<![A-Za-z])'em\\b|[A-Za-z]+(?:'[A-Za-z]+)*'?|[,.?!;:]`,
  'g',
)

const IS_FIXED = new RegExp(`^${FIXED}$`)
const IS_CHANGE = new RegExp(`^${CHANGE}$`)

/** A word with its units, or a pause with its sign. */
export interface EnglishToken {
  /** The word as it is read: `seven`. Letters that are read one by one are separated by spaces: `u s b`. '' for a pause. */
  word: string
  units: string
}

/** Words whose form depends on the next word. */
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

/** The readings of words that have several, by their index. */
async function homographs(tokens: readonly string[]): Promise<Map<number, string>> {
  const found = new Map<number, string>()
  if (!tokens.some(token => isHomograph(token.toLowerCase()))) return found
  const { partsOfSpeech } = await import('./part-of-speech.js')
  const places: number[] = []
  const words: string[] = []
  for (const [i, token] of tokens.entries()) {
    if (token in PAUSES) words.push(`${words.pop() ?? ''}${token}`)
    else places[words.push(token.replace(SPELL, '')) - 1] = i
  }
  const parts = partsOfSpeech(words)
  const lowered = words.map(word => word.toLowerCase().replace(/[^a-z']/g, ''))
  for (const [i, word] of lowered.entries()) {
    const reading = isHomograph(word) ? readingOf(lowered, parts, i) : undefined
    if (reading !== undefined) found.set(places[i] ?? 0, reading)
  }
  return found
}

const spaced = (letters: string): string => [...letters.toLowerCase()].join(' ')

const unstressed = (units: string): string => units.replace(/[ˈˌ]/g, '')

/** The word as it is read. */
function wordOf(token: string, units: string): string {
  if (token.length > 1 && units === spellLetters(token)) return spaced(token)
  if (token.endsWith('s') && token.length > 2 && units === `${spellLetters(token.slice(0, -1))}z`)
    return `${spaced(token.slice(0, -1))}s`
  return token.toLowerCase()
}

const letters = (token: string): EnglishToken => {
  const plain = token.replace(/[^A-Za-z]/g, '').toLowerCase()
  return { word: spaced(plain), units: spellLetters(plain) }
}

/** Splits a sentence into words and pauses with their units. Loads the lexicon at the first call. */
export async function englishTokens(text: string): Promise<EnglishToken[]> {
  // Removes diacritics: café is looked up as cafe.
  const plain = englishWords(text).normalize('NFD').replace(/\p{M}/gu, '')
  const tokens = plain.match(TOKEN) ?? []
  const readings = await homographs(tokens)
  const isShouted = !/[a-z]/.test(plain)
  const out: EnglishToken[] = []
  for (const [i, token] of tokens.entries()) {
    const pause = PAUSES[token]
    if (pause !== undefined) {
      if (out.length > 0 && !((out.at(-1)?.units ?? '') in PAUSES)) out.push({ word: '', units: pause })
      continue
    }
    if (token.startsWith(SPELL)) {
      out.push(letters(token))
      continue
    }
    if (IS_FIXED.test(token) || IS_CHANGE.test(token)) {
      out.push({ word: IS_CHANGE.test(token) ? '' : token, units: token })
      continue
    }
    const next = tokens.slice(i + 1, i + 3).find(t => !IS_CHANGE.test(t))
    const beforePause = next === undefined || next in PAUSES
    const capitals = isShouted ? undefined : readingOfCapitals(token)
    const word = token.toLowerCase()
    // Vitamin A: the article is no capital within a sentence, but in titles.
    const isLetter =
      token === 'A' && i > 0 && !isShouted && !((tokens[i - 1] ?? '') in PAUSES) && !/^[A-Z]/.test(next ?? '')
    const isSpelled = !isShouted && /^[B-DF-HJ-NP-TV-XZ]{2,}$/.test(token) && capitals === undefined // GDP
    if (isLetter || isSpelled || capitals === '') out.push(letters(token))
    else {
      const units = capitals ?? inContext(word, beforePause) ?? readings.get(i) ?? (await spell(token))
      // The dictionary's TV and FBI have a main stress on each letter.
      if (/^[A-Z]{2,5}$/.test(token) && unstressed(units) === unstressed(spellLetters(token))) out.push(letters(token))
      else out.push({ word: wordOf(token, units), units })
    }
  }
  return out
}

/** English text as units. Loads the lexicon at the first call. */
export async function englishToUnits(text: string): Promise<string> {
  let out = ''
  for (const { word, units } of await englishTokens(text)) {
    // A change of the prosody belongs to the word after it.
    const isPause = word === '' && !IS_CHANGE.test(units)
    out += (isPause || out === '' || IS_CHANGE.test(out.at(-1) ?? '') ? '' : ' ') + units
  }
  return out
}
