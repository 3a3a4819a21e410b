import table from './homographs.json'
import type { PartOfSpeech } from './part-of-speech.js'

/*
 * Words with several pronunciations, which depend on the part of speech (live, record), on the meaning (lead, bass) or
 * on capitals (Polish, US).
 */

type Readings = Readonly<Partial<Record<PartOfSpeech | 'default', string>>>

const bySpeech = new Map<string, Readings>(Object.entries(table.bySpeech))
const byCapitals = new Map<string, string>(Object.entries(table.byCapitals))

/**
 * Words with two readings. A nearby word that matches `near` selects the second one; otherwise the first one, or that
 * of the part of speech, is used.
 */
const BY_MEANING: Readonly<Record<string, { usual?: string; other: string; near: RegExp; parts?: RegExp }>> = {
  lead: {
    usual: 'lˈid', other: 'lˈɛd', parts: /noun|adjective|verb/,
    near: /\b(?:(?:of|contains?|containing) lead|lead (?:pipes?|paint|poisoning|acid|metal|bullets?|weights?|crystal|mine|ore|glass|shot|roof|solder|pencils?|exposure|levels?|batter(?:y|ies)|is a)|(?:metal|zinc|copper|iron|tin|mercury|toxic|molten|heavy as) (?:and |or )?lead)\b/,
  },
  bass: { usual: 'bˈAs', other: 'bˈæs', near: /\b(?:fish\w*|caught|catch|lakes?|rivers?|ponds?|striped|largemouth|smallmouth|sea bass|grilled|fried|fillets?|trout|salmon|bait|anglers?)\b/ },
  bow: { other: 'bˈW', near: /\b(?:take|took|takes|taking) (?:a|his|her|their) (?:final |last )?bow\b|\bbow (?:of|thruster|wave)\b.*\b(?:ship|boat|vessel)|\b(?:ship|boat)'?s bow\b|\bbow and stern\b|\bdeep bow\b/ },
  tear: { other: 'tˈɛɹ', near: /\bwear and tear\b|\ba (?:\w+ )?tear in (?:the|his|her|my|your|their|its) (?!eyes?)/ },
  sow: { usual: 'sˈO', other: 'sˈW', near: /\b(?:pigs?|piglets?|boars?|farrow\w*)\b/ },
  row: { usual: 'ɹˈO', other: 'ɹˈW', near: /\b(?:blazing|furious|diplomatic|political|had a|having a) row\b|\brow (?:over|about|erupted)\b/ },
  dove: { usual: 'dˈʌv', other: 'dˈOv', near: /\bdove (?:into|in|off|under|down|for|deep|head)/ },
} // prettier-ignore

const SUBJECT = /^(?:he|she|it)$/
const PERFECT =
  /^(?:have|has|had|having|i've|you've|we've|they've|he's|she's|it's|who's|i'd|haven't|hasn't|hadn't|is|are|was|were|be|been|being|isn't|aren't|wasn't|weren't|get|got|gets)$/
const BASE =
  /^(?:to|do|does|did|don't|doesn't|didn't|can|can't|cannot|could|couldn't|will|won't|would|wouldn't|shall|should|shouldn't|may|might|must|let|let's|please|i'll|you'll|we'll|they'll|he'll|she'll|help|make|makes|made|and|or)$/
const BETWEEN =
  /^(?:not|never|already|always|also|ever|just|often|only|still|now|then|even|re|\w+ly|i|you|we|they|he|she|it|been|being)$/
const YESTERDAY =
  /\b(?:yesterday|ago|last (?:night|week|month|year|summer|winter|spring|autumn|fall|monday|tuesday|wednesday|thursday|friday|saturday|sunday|time)|earlier|previously|when (?:i|he|she|we|they) (?:was|were))\b/

/** The preceding word that decides, skipping adverbs and inverted subjects. */
function governor(words: readonly string[], at: number): string | undefined {
  let i = at - 1
  while (
    i >= 0 &&
    BETWEEN.test(words[i] ?? '') &&
    !(
      i === at - 1 &&
      SUBJECT.test(words[i] ?? '') &&
      !BASE.test(words[i - 1] ?? '') &&
      !PERFECT.test(words[i - 1] ?? '')
    )
  )
    i--
  return words[i]
}

/** Whether a verb whose present and past are written alike (read) is in the past. */
function isPast(words: readonly string[], parts: readonly PartOfSpeech[], at: number): boolean {
  const before = governor(words, at)
  if (before !== undefined && PERFECT.test(before)) return true
  if (before !== undefined && BASE.test(before) && !/^(?:and|or)$/.test(before)) return false
  if (YESTERDAY.test(words.join(' '))) return true
  if (SUBJECT.test(words[at - 1] ?? '')) return true // now, he reads
  // Past if another verb is in the past ("he took it and read it"), or if the subject is singular ("the teacher read").
  if (parts.some((part, i) => part === 'past' && i !== at && !PERFECT.test(words[i - 1] ?? ''))) return true
  return parts[at - 1] === 'noun' && !(words[at - 1] ?? '').endsWith('s') && at > 1
}

const DETERMINER =
  /^(?:the|a|an|this|that|these|those|my|your|his|her|its|our|their|no|some|any|every|each|another|of|much|good|little|more)$/
const MODAL =
  /^(?:to|can|can't|cannot|could|couldn't|will|won't|would|wouldn't|shall|should|shouldn't|may|might|must|don't|doesn't|didn't|do|does|did|let's|please|i'll|you'll|we'll|they'll|he'll|she'll|it'll|i'd|you'd|we'd|they'd|he'd|she'd|never)$/
const PRONOUN = /^(?:i|you|we|they)$/
const SUBJECT_OF_USED = /^(?:i|you|he|she|it|we|they|there|who|people|everyone|never|always|also)$/
const AFTER_VERBS = /^(?:to|from|the|a|an|it|them|him|his|their|its|against|every|with)$/
const INDEFINITE = /^(?:anyone|anybody|someone|somebody|everyone|nobody|people|he|she|it)$/
const COPULA =
  /^(?:am|is|are|was|were|be|been|i'm|you're|he's|she's|it's|we're|they're|seems?|seemed|feels?|felt|looks?|looked|very|quite|so|too|rather|perfectly|not)$/
const SMALL =
  /^(?:amounts?|quantit\w+|details?|particles?|traces?|fractions?|differences?|changes?|doses?|cracks?|organisms?|fragments?|portions?|proportions?|size|holes|variations?)$/

/** Corrects the part of speech where compromise is wrong and the neighbouring words show it. */
function partAt(words: readonly string[], parts: readonly PartOfSpeech[], at: number): PartOfSpeech {
  const [word, before, after] = [words[at] ?? '', words[at - 1] ?? '', words[at + 1] ?? '']
  const part = parts[at] ?? 'other'
  if (word === 'minute') {
    const measured = /^(?:a|an|the|one|this|that|last|every|per|each|any)$/.test(before) || parts[at - 1] === 'other'
    return SMALL.test(after) ||
      (/^(?:are|were|is|was|so|very|too|extremely|rather|quite|be)$/.test(before) && !measured)
      ? 'adjective'
      : 'noun'
  }
  if (word === 'used') {
    // "They used to smoke", but "what is used to make" and "the tool used to make".
    const isPassive = /^(?:is|are|was|were|be|been|being|get|got|can)$/
    const of = words.slice(0, at).some(w => isPassive.test(w)) && !SUBJECT_OF_USED.test(before)
    return after === 'to' && !of ? 'past' : 'verb'
  }
  if (word === 'close' && after === 'by') return 'adjective'
  if (word === 'close' && after === 'at') return 'verb'
  if (/^(?:does|do|did|can|could|will|would)$/.test(words[at - 2] ?? '') && INDEFINITE.test(before)) return 'verb' // does anyone object
  if (/[^s]s$/.test(before) && parts[at - 1] === 'noun' && AFTER_VERBS.test(after)) return 'verb' // the actors bow to
  if (MODAL.test(before) || PRONOUN.test(before)) return part === 'past' ? 'past' : 'verb'
  if (
    DETERMINER.test(before) &&
    (part === 'verb' || part === 'past') &&
    !/^(?:of|much|more|little|that|her|this)$/.test(before)
  )
    return 'noun'
  if (part === 'noun' && COPULA.test(before) && word !== 'use') return 'adjective' // I am content
  if (/^(?:no|much|good|little|some|of)$/.test(before) && part === 'verb') return 'noun'
  return part
}

/** The reading of the word at an index, or undefined if it has only one. `words` are in lower case. */
export function readingOf(words: readonly string[], parts: readonly PartOfSpeech[], at: number): string | undefined {
  const word = words[at] ?? ''
  const meaning = BY_MEANING[word]
  if (meaning?.near.test(words.join(' '))) return meaning.other
  const readings = bySpeech.get(word)
  if (!readings) return meaning?.usual
  let part = partAt(words, parts, at)
  if (word === 'read') part = isPast(words, parts, at) ? 'past' : 'verb'
  if (word === 'wound' && part !== 'past') {
    const isObject = /^(?:the|a|an|his|her|its|up|around|down|through|it|back)$/.test(words[at + 1] ?? '')
    part = isObject && !DETERMINER.test(words[at - 1] ?? '') && parts[at - 1] !== 'adjective' ? 'past' : part
  }
  if (meaning?.usual !== undefined) return meaning.usual
  return readings[part] ?? (part === 'past' ? readings.verb : undefined) ?? readings.default
}

/** Whether the reading of a word (in lower case) depends on its context. */
export const isHomograph = (word: string): boolean => bySpeech.has(word) || word in BY_MEANING

/**
 * The units of a capitalized word that is read differently in lower case; '' if it is read letter by letter; undefined
 * if it is read as in lower case.
 */
export const readingOfCapitals = (word: string): string | undefined => byCapitals.get(word)
