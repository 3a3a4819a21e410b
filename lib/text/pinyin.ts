import table from './pinyin-units.json'
import { languageOf, TONES } from './units.js'

/*
 * Mandarin syllables, written as pinyin with tone digits (ü is `v`, neutral is 5), and their units. The table is that of
 * training/data/mandarin.py: toneless pinyin → units with `0` where the tone goes.
 */

const SPELLING = new Map(Object.entries(table).map(([pinyin, units]) => [pinyin, units.replaceAll(' ', '')]))
/** By toneless units. The table's keys stand in falling order of frequency: the likelier a syllable, the lower its cost. */
const SYLLABLE = new Map(
  [...SPELLING].reverse().map(([pinyin, spelling], i) => {
    return [spelling.replace('0', ''), { pinyin, spelling, cost: Math.log(SPELLING.size - i + 1) }]
  }),
)
const SYLLABIC: Record<string, string> = { n: 'n0', m: 'm0', ng: 'ŋ0', hm: 'hm0', hng: 'hŋ0' } // 嗯, 呣
const VARIANTS: Record<string, string> = { lue: 'lve', nue: 'nve', r: 'er', uei: 'wei', eh: 'e', ê: 'ei' }
const LONGEST = 7
const TONE_MARK = /[→↗↓↘]/gu
const SYLLABLE_COST = 3
const NEUTRAL_COST = 1
const NEUTRAL = 5
/** And glides: with them a rhyme begins. */
const VOWELS = new Set('aeoyɤɨəɚɛɔiuʊɑɪʌæɜjwɥAIWYO')
/** English ones, as Mandarin spells them. */
const DIPHTHONGS: Record<string, string> = { A: 'ei', I: 'ai', W: 'au', O: 'ou' }
const BETWEEN_WORDS = /[ ,.?!☺∿_]/u

/*
 * How much a tone that the encoder marked, or left unmarked, counts beside the seconds of the tone module: best on synthetic voices and on a
 * speaker that the encoder knew. And how much of it makes speech Mandarin: one English recording in thirty is taken for it.
 */
const MARKED_SECONDS = 0.15
const UNMARKED_SECONDS = 0.05
const TONAL_SECONDS = 0.24
const TONAL_SHARE = 0.35

/** `ni3` → `ni↓`; undefined where there is no such syllable. */
export function syllableToUnits(pinyin: string): string | undefined {
  const match = /^([a-zvê]+)([0-5]?)$/.exec(pinyin.trim().toLowerCase().replaceAll('u:', 'v').replaceAll('ü', 'v'))
  if (!match) return undefined
  const base = (match[1] ?? '').replace(/^([jqxy])v/, '$1u')
  const tone = Number(match[2]) || 5
  return (SPELLING.get(VARIANTS[base] ?? base) ?? SYLLABIC[base])?.replace('0', TONES[tone - 1] ?? '')
}

interface Syllable {
  /** Without tone. */
  pinyin: string
  /** 1–5. */
  tone: number
  /** Places in the word: where it begins, its first vowel, where it ends. */
  start: number
  vowel: number
  end: number
}

function syllableOf(piece: string): { pinyin: string; tone: number; cost: number } | undefined {
  const marks = piece.match(TONE_MARK) ?? []
  if (marks.length > 1) return undefined
  const [mark = ''] = marks
  const found = SYLLABLE.get(piece.replace(mark, ''))
  if (found?.spelling.replace('0', mark) !== piece) return undefined
  return { pinyin: found.pinyin, tone: toneOf(mark), cost: SYLLABLE_COST + found.cost + (mark ? 0 : NEUTRAL_COST) }
}

const toneOf = (mark: string): number => TONES.indexOf(mark as (typeof TONES)[number]) + 1 || NEUTRAL

const firstVowel = (word: readonly string[], start: number): number => {
  const place = word.findIndex((unit, i) => i >= start && VOWELS.has(unit))
  return place < 0 ? start : place // 嗯 has none
}

/** The likeliest syllables that spell the word: `kwa→ny↗` is guan1 yu2, not gua1 nü2. */
function parseWord(word: readonly string[]): Syllable[] | undefined {
  const best: ({ cost: number; path: Syllable[] } | undefined)[] = [{ cost: 0, path: [] }]
  for (let start = 0; start < word.length; start++) {
    const from = best[start]
    if (!from) continue
    for (let end = start + 1; end <= Math.min(word.length, start + LONGEST); end++) {
      const found = syllableOf(word.slice(start, end).join(''))
      const cost = from.cost + (found?.cost ?? Infinity)
      if (!found || cost >= (best[end]?.cost ?? Infinity)) continue
      const { pinyin, tone } = found
      best[end] = { cost, path: [...from.path, { pinyin, tone, start, vowel: firstVowel(word, start), end }] }
    }
  }
  return best[word.length]?.path
}

/** A syllable for each group of vowels of a word that no syllables spell: the one that is spelled most like it. */
function likelySyllables(word: readonly string[]): Syllable[] {
  const syllables: Syllable[] = []
  const isVowel = (i: number): boolean => VOWELS.has(word[i] ?? '')
  for (let vowel = 0, start = 0; vowel < word.length; vowel++) {
    if (!isVowel(vowel)) continue
    let end = vowel + 1
    while (isVowel(end)) end++
    let tone = NEUTRAL
    const takeMark = () => {
      if (tone === NEUTRAL && toneOf(word[end] ?? '') !== NEUTRAL) tone = toneOf(word[end++] ?? '')
    }
    takeMark()
    if (/[nŋ]/.test(word[end] ?? '') && !isVowel(end + 1)) end++
    takeMark()
    syllables.push({ pinyin: mostLike(word.slice(start, end)), tone, start, vowel, end })
    start = end
    vowel = end - 1
  }
  return syllables
}

/** The syllable whose toneless spelling takes the fewest changes; of equals the more frequent. */
function mostLike(piece: readonly string[]): string {
  const heard = [...piece.map(u => DIPHTHONGS[u] ?? u).join('')].filter(u => !/[→↗↓↘ˈˌ]/u.test(u))
  let best = { pinyin: '', changes: Infinity }
  for (const [pinyin, spelling] of SPELLING) {
    const changes = changesBetween(heard, [...spelling.replace('0', '')])
    if (changes < best.changes) best = { pinyin, changes }
  }
  return best.pinyin
}

/** Edit distance; a vowel for a vowel, or a consonant for a consonant, is the smallest change. */
function changesBetween(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (const x of a) {
    const next = [(row[0] ?? 0) + 1]
    b.forEach((y, j) => {
      const change = x === y ? 0 : VOWELS.has(x) === VOWELS.has(y) ? 0.7 : 1.3
      next.push(Math.min((row[j] ?? 0) + change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    })
    row = next
  }
  return row[b.length] ?? 0
}

/** Seconds of a heard unit's time that the tone module gives to none, tones 1–4 and neutral. */
export type ToneSeconds = ArrayLike<number>

const total = (seconds: ToneSeconds): number => Array.from(seconds).reduce((a, b) => a + b, 0)

/** Whether tones make up a third of the time and more. */
function isTonal(tones: readonly ToneSeconds[], atLeast = 0): boolean {
  const all = tones.reduce((sum, t) => sum + total(t), 0)
  const tonal = all - tones.reduce((sum, t) => sum + (t[0] ?? 0), 0)
  return all > 0 && tonal >= atLeast && tonal >= TONAL_SHARE * all
}

/**
 * The language of what was heard: Mandarin where a tone is among the units, or where the tone module heard tones for long enough; the encoder
 * marks few tones of a speaker that is new to it.
 */
export function languageHeard(symbols: readonly string[], tones: readonly ToneSeconds[]): 'en' | 'zh' {
  return languageOf(symbols) === 'zh' || isTonal(tones, TONAL_SECONDS) ? 'zh' : 'en'
}

/**
 * The syllables of a string of units, with tone digits: `ni↗xau↓` → `ni2 hao3`. What is not spelled as Mandarin is read as the syllables most
 * like it where tones were heard, and skipped elsewhere.
 *
 * @param tones  of each unit, by the tone module: its word counts beside the marks
 */
export function unitsToPinyin(symbols: Iterable<string>, tones: readonly ToneSeconds[] = []): string {
  const units = [...symbols]
  const syllables: Syllable[] = []
  for (let start = 0; start < units.length; start++) {
    let end = start
    while (end < units.length && !BETWEEN_WORDS.test(units[end] ?? '')) end++
    const word = units.slice(start, end)
    const toned = languageOf(word) === 'zh' || isTonal(tones.slice(start, end))
    for (const s of parseWord(word) ?? (toned ? likelySyllables(word) : []))
      syllables.push({ ...s, start: s.start + start, vowel: s.vowel + start, end: s.end + start })
    start = end
  }
  return syllables
    .map(({ pinyin, tone, vowel }, i) => {
      const votes = [0, 0, 0, 0, 0]
      votes[tone - 1] = tone === NEUTRAL ? UNMARKED_SECONDS : MARKED_SECONDS
      for (const seconds of tones.slice(vowel, syllables[i + 1]?.start))
        votes.forEach((_, t) => (votes[t] = (votes[t] ?? 0) + (seconds[t + 1] ?? 0)))
      return `${pinyin}${votes.indexOf(Math.max(...votes)) + 1}`
    })
    .join(' ')
}

const THIRD_BEFORE_THIRD = /↓(?=[nŋ]? ?[pʰtkfmnlxsʨꭧʦʂɕɻjwɥ]*[aeiouyɤɨəɛʊɔɚ]+↓)/gu

/** Third-tone sandhi: a third tone is spoken as a second before another third. Units are what is heard. */
export function spokenTones(symbols: string): string {
  return symbols.replace(THIRD_BEFORE_THIRD, '↗')
}
