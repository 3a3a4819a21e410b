import nlp from 'compromise/two'

/*
 * The part of speech of each word of a sentence, by the library compromise. Loaded with the first sentence that has a
 * word with several readings.
 */

export type PartOfSpeech = 'noun' | 'verb' | 'past' | 'adjective' | 'adverb' | 'other'

interface Term {
  text: string
  tags: string[]
}

function partOf(tags: readonly string[]): PartOfSpeech {
  const is = (tag: string): boolean => tags.includes(tag)
  if (is('PastTense') || is('Participle')) return 'past'
  if (is('Verb')) return 'verb'
  if (is('Adjective')) return 'adjective'
  if (is('Adverb')) return 'adverb'
  return is('Noun') ? 'noun' : 'other'
}

const bare = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '')

/** One part of speech for each word of a sentence. Punctuation belongs to the word before it. */
export function partsOfSpeech(words: readonly string[]): PartOfSpeech[] {
  const sentences = nlp(words.join(' ')).json({ terms: { text: true, tags: true } }) as { terms: Term[] }[]
  const parts: PartOfSpeech[] = []
  let rest = ''
  // If a word is split (they'll), the first piece counts; the others have no text, or the rest of the word's.
  for (const { text, tags } of sentences.flatMap(({ terms }) => terms)) {
    if (text === '' || parts.length > words.length) continue
    if (rest === '') rest = bare(words[parts.push(partOf(tags)) - 1] ?? '')
    rest = rest.startsWith(bare(text)) ? rest.slice(bare(text).length) : ''
  }
  return words.map((_, i) => parts[i] ?? 'other')
}
