import { arpabetToUnits } from './arpabet.js'
import exceptions from './exceptions.json'
import letterToSound from './letter-to-sound.json'

/*
 * The pronunciation of English words. Looked up first in the voices' own readings where they differ from the
 * dictionary, then in the CMU Pronouncing Dictionary, then by regular endings, then by letter-to-sound rules.
 */

const LETTERS: Record<string, string> = {
  a: 'ˈA', b: 'bˈi', c: 'sˈi', d: 'dˈi', e: 'ˈi', f: 'ˈɛf', g: 'ʤˈi', h: 'ˈAʧ', i: 'ˈI', j: 'ʤˈA', k: 'kˈA', l: 'ˈɛl', m: 'ˈɛm', n: 'ˈɛn',
  o: 'ˈO', p: 'pˈi', q: 'kjˈu', r: 'ˈɑɹ', s: 'ˈɛs', t: 'tˈi', u: 'jˈu', v: 'vˈi', w: 'dˈʌbəlju', x: 'ˈɛks', y: 'wˈI', z: 'zˈi',
} // prettier-ignore
const VOICELESS = 'ptkfθ'
const SIBILANTS = 'szʃʒʧʤ'

type Dictionary = Readonly<Record<string, string>>

let loading: Promise<Dictionary> | undefined

/** Loads the dictionary of 135,000 words, once; this takes a sixth of a second. */
function loadDictionary(): Promise<Dictionary> {
  return (loading ??= import('cmu-pronouncing-dictionary').then(module => module.dictionary))
}

const own = new Map(Object.entries(exceptions))

function look(dictionary: Dictionary, word: string): string | undefined {
  const found = own.get(word)
  if (found !== undefined) return found
  return Object.hasOwn(dictionary, word) ? arpabetToUnits(dictionary[word] ?? '') : undefined
}

/** Regular -s, -'s, -ed, -ing, -ly, -er and un- of a word in the lexicon. */
function derived(word: string, find: (word: string) => string | undefined): string | undefined {
  const stem = (...candidates: string[]): string | undefined =>
    candidates.map(c => (c.length > 1 ? find(c) : undefined)).find(Boolean)
  const undoubled = (s: string): string[] => (s.length > 2 && s.at(-1) === s.at(-2) ? [s.slice(0, -1)] : [])
  const y = (s: string): string[] => (s.endsWith('i') ? [`${s.slice(0, -1)}y`] : [])
  let base: string | undefined
  if (/[^s]s'?$/.test(word)) {
    const cut = word.replace(/'?s'?$/, '')
    base = stem(cut, ...(cut.endsWith('e') ? [cut.slice(0, -1), ...y(cut.slice(0, -1))] : []))
    if (base)
      return base + (VOICELESS.includes(base.at(-1) ?? '') ? 's' : SIBILANTS.includes(base.at(-1) ?? '') ? 'ɪz' : 'z')
  }
  if (word.endsWith('ed')) {
    const cut = word.slice(0, -2)
    base = stem(`${cut}e`, cut, ...undoubled(cut), ...y(cut))
    if (base)
      return (
        base + ('td'.includes(base.at(-1) ?? '') ? 'ɪd' : `${VOICELESS}sʃʧ`.includes(base.at(-1) ?? '') ? 't' : 'd')
      )
  }
  for (const [ending, units] of [
    ['ing', 'ɪŋ'],
    ['ly', 'li'],
    ['er', 'əɹ'],
    ['ers', 'əɹz'],
    ['ness', 'nəs'],
    ['less', 'ləs'],
  ] as const) {
    // prettier-ignore
    if (!word.endsWith(ending)) continue
    const cut = word.slice(0, -ending.length)
    base = stem(
      cut,
      ...(ending === 'ly' || ending === 'ness' || ending === 'less' ? y(cut) : [`${cut}e`, ...undoubled(cut)]),
    )
    if (base) return base + units
  }
  if (word.startsWith('un')) base = stem(word.slice(2))
  return base && `ʌn${base}`
}

/** Two words written as one, each of three letters or more: `nightlight`. */
function compound(word: string, find: (word: string) => string | undefined): string | undefined {
  for (let cut = word.length - 3; cut >= 3; cut--) {
    const [head, tail] = [find(word.slice(0, cut)), find(word.slice(cut))]
    if (head && tail && word.length >= 8) return head + tail.replaceAll('ˈ', 'ˌ')
  }
  return undefined
}

const rules: Readonly<Record<string, string | undefined>> = letterToSound.rules
const contexts = letterToSound.contexts as [left: number, right: number][]

/** Letter-to-sound rules: each letter by its context; see scripts/letter-to-sound.mjs. */
function byLetters(word: string): string {
  const padded = `####${word}####`
  let units = ''
  for (let i = 0; i < word.length; i++) {
    const at = i + 4
    for (let level = contexts.length - 1; level >= 0; level--) {
      const [left, right] = contexts[level] ?? [0, 0]
      const letter = `${left > 0 || right > 0 ? '.' : ''}${padded.charAt(at)}`
      const chunk = rules[padded.slice(at - left, at) + letter + padded.slice(at + 1, at + 1 + right)]
      if (chunk === undefined) continue
      units += chunk
      break
    }
  }
  // Keeps one main stress, on the first stressed vowel, otherwise on the first vowel.
  let seen = false
  units = units.replace(/ˈ/g, () => (seen ? 'ˌ' : ((seen = true), 'ˈ')))
  return seen ? units : units.replace(/[AIWYOiuɪʊʌəɛæɑɔɜ]/u, v => `ˈ${v === 'ə' ? 'ʌ' : v}`)
}

/** Spells a word letter by letter, with the main stress on the last letter: `GPS`, `U.S.`. */
export function spellLetters(word: string): string {
  const letters = [...word.toLowerCase().replace(/[^a-z]/g, '')].map(c => LETTERS[c] ?? '')
  return letters.map((units, i) => (i < letters.length - 1 ? units.replace('ˈ', 'ˌ') : units)).join('')
}

/** The units of one word of the letters a–z and apostrophes. */
export async function spell(word: string): Promise<string> {
  const dictionary = await loadDictionary()
  const find = (w: string): string | undefined => look(dictionary, w)
  const lower = word.toLowerCase()
  const possessive = lower.endsWith("'s") ? derived(lower, w => own.get(w)) : undefined // that's is as weak as that
  const known = possessive ?? find(lower) ?? find(lower.replace(/^'|'$/g, ''))
  if (known !== undefined) return known
  // iPhone, YouTube
  const parts = word.split(/(?<=[a-z])(?=[A-Z])/)
  if (parts.length > 1) return (await Promise.all(parts.map(spell))).join('')
  if (/^[A-Z]{2,5}s$/.test(word)) return `${spellLetters(word.slice(0, -1))}z`
  const isInitialism = word.length > 1 && /^[A-Z]+$/.test(word) && word.length <= 5
  if (isInitialism || !/[aeiouy]/.test(lower)) return spellLetters(word)
  return (
    derived(lower, find) ??
    derived(lower, w => derived(w, find)) ??
    compound(lower, find) ??
    byLetters(lower.replaceAll("'", ''))
  )
}
