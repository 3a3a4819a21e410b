import table from './pinyin-units.json'
import { TONES } from '../units.js'

/*
 * Mandarin syllables, written as pinyin with tone digits (ü is `v`, neutral is 5), and their units. The table is that
 * of training/data/mandarin.py: toneless pinyin → units with `0` in place of the tone.
 */

const SPELLING = new Map(Object.entries(table).map(([pinyin, units]) => [pinyin, units.replaceAll(' ', '')]))
const SYLLABIC: Record<string, string> = { n: 'n0', m: 'm0', ng: 'ŋ0', hm: 'hm0', hng: 'hŋ0' } // 嗯, 呣
const VARIANTS: Record<string, string> = { lue: 'lve', nue: 'nve', r: 'er', uei: 'wei', eh: 'e', ê: 'ei' }

/** `ni3` → `ni↓`; undefined if there is no such syllable. */
export function syllableToUnits(pinyin: string): string | undefined {
  const match = /^([a-zvê]+)([0-5]?)$/.exec(pinyin.trim().toLowerCase().replaceAll('u:', 'v').replaceAll('ü', 'v'))
  if (!match) return undefined
  const base = (match[1] ?? '').replace(/^([jqxy])v/, '$1u')
  const tone = Number(match[2]) || 5
  return (SPELLING.get(VARIANTS[base] ?? base) ?? SYLLABIC[base])?.replace('0', TONES[tone - 1] ?? '')
}

const THIRD_BEFORE_THIRD = /↓(?=[nŋ]? ?[pʰtkfmnlxsʨꭧʦʂɕɻjwɥ]*[aeiouyɤɨəɛʊɔɚ]+↓)/gu

/** Third-tone sandhi: a third tone before another third tone is spoken as a second tone. Units represent what is spoken. */
export function spokenTones(symbols: string): string {
  return symbols.replace(THIRD_BEFORE_THIRD, '↗')
}
