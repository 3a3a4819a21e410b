import table from './pinyin-units.json'
import { TONES } from './units.js'

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

/** `ni3` → `ni↓`; undefined where there is no such syllable. */
export function syllableToUnits(pinyin: string): string | undefined {
  const match = /^([a-zvê]+)([0-5]?)$/.exec(pinyin.trim().toLowerCase().replaceAll('u:', 'v').replaceAll('ü', 'v'))
  if (!match) return undefined
  const base = (match[1] ?? '').replace(/^([jqxy])v/, '$1u')
  const tone = Number(match[2]) || 5
  return (SPELLING.get(VARIANTS[base] ?? base) ?? SYLLABIC[base])?.replace('0', TONES[tone - 1] ?? '')
}

interface Syllable {
  pinyin: string
  cost: number
}

function syllableOf(piece: string): Syllable | undefined {
  const marks = piece.match(TONE_MARK) ?? []
  if (marks.length > 1) return undefined
  const [mark = ''] = marks
  const found = SYLLABLE.get(piece.replace(mark, ''))
  if (found?.spelling.replace('0', mark) !== piece) return undefined
  const tone = mark ? TONES.indexOf(mark as (typeof TONES)[number]) + 1 : 5
  return { pinyin: `${found.pinyin}${tone}`, cost: SYLLABLE_COST + found.cost + (mark ? 0 : NEUTRAL_COST) }
}

/** The likeliest syllables that spell the word: `kwa→ny↗` is guan1 yu2, not gua1 nü2. */
function parseWord(word: readonly string[]): string[] | undefined {
  const best: ({ cost: number; path: string[] } | undefined)[] = [{ cost: 0, path: [] }]
  for (let start = 0; start < word.length; start++) {
    const from = best[start]
    if (!from) continue
    for (let end = start + 1; end <= Math.min(word.length, start + LONGEST); end++) {
      const syllable = syllableOf(word.slice(start, end).join(''))
      const cost = from.cost + (syllable?.cost ?? Infinity)
      if (syllable && cost < (best[end]?.cost ?? Infinity)) best[end] = { cost, path: [...from.path, syllable.pinyin] }
    }
  }
  return best[word.length]?.path
}

/** The syllables of a string of units, with tone digits: `ni↗xau↓` → `ni2 hao3`. What is no Mandarin syllable is skipped. */
export function unitsToPinyin(symbols: string): string {
  const syllables: string[] = []
  for (const text of symbols.split(/[ ,.?!☺∿_]+/u)) {
    const word = [...text]
    let start = 0
    while (start < word.length) {
      let end = word.length
      let parsed: string[] | undefined
      for (; end > start && !parsed; end--) parsed = parseWord(word.slice(start, end)) // the longest part that parses
      if (parsed) syllables.push(...parsed)
      start = parsed ? end + 1 : start + 1
    }
  }
  return syllables.join(' ')
}

const THIRD_BEFORE_THIRD = /↓(?=[nŋ]? ?[pʰtkfmnlxsʨꭧʦʂɕɻjwɥ]*[aeiouyɤɨəɛʊɔɚ]+↓)/gu

/** Third-tone sandhi: a third tone is spoken as a second before another third. Units are what is heard. */
export function spokenTones(symbols: string): string {
  return symbols.replace(THIRD_BEFORE_THIRD, '↗')
}
