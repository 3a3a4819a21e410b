import { toWords, toWordsOrdinal } from 'number-to-words'

/*
 * English as it is written → words: numbers, times, money, units, abbreviations and signs.
 */

const ABBREVIATIONS: Record<string, string> = {
  'mr.': 'mister', 'mrs.': 'missus', 'ms.': 'miz', 'dr.': 'doctor', 'prof.': 'professor', 'st.': 'saint', 'jr.': 'junior', 'sr.': 'senior',
  'etc.': 'et cetera.', 'vs.': 'versus', 'e.g.': 'for example', 'i.e.': 'that is', 'approx.': 'approximately',
  'jan.': 'January', 'feb.': 'February', 'aug.': 'August', 'sept.': 'September', 'oct.': 'October', 'nov.': 'November', 'dec.': 'December',
} // prettier-ignore
const MEASURES: Record<string, [one: string, many: string]> = {
  km: ['kilometer', 'kilometers'], m: ['meter', 'meters'], cm: ['centimeter', 'centimeters'], mm: ['millimeter', 'millimeters'],
  kg: ['kilogram', 'kilograms'], g: ['gram', 'grams'], mg: ['milligram', 'milligrams'], ml: ['milliliter', 'milliliters'],
  l: ['liter', 'liters'], mph: ['mile per hour', 'miles per hour'], 'km/h': ['kilometer per hour', 'kilometers per hour'],
  hz: ['hertz', 'hertz'], khz: ['kilohertz', 'kilohertz'], mb: ['megabyte', 'megabytes'], gb: ['gigabyte', 'gigabytes'],
  lb: ['pound', 'pounds'], lbs: ['pound', 'pounds'], oz: ['ounce', 'ounces'], ft: ['foot', 'feet'], min: ['minute', 'minutes'],
  '°c': ['degree Celsius', 'degrees Celsius'], '°f': ['degree Fahrenheit', 'degrees Fahrenheit'], '°': ['degree', 'degrees'],
} // prettier-ignore
const MONEY: Record<string, [one: string, many: string, part: string]> = {
  $: ['dollar', 'dollars', 'cents'],
  '£': ['pound', 'pounds', 'pence'],
  '€': ['euro', 'euros', 'cents'],
  '¥': ['yuan', 'yuan', 'fen'],
}
const SIGNS: Record<string, string> = { '&': ' and ', '+': ' plus ', '=': ' equals ', '@': ' at ', '%': ' percent ', '#': ' number ', '×': ' times ' } // prettier-ignore
const MEASURE = new RegExp(`(\\d)\\s?(${Object.keys(MEASURES).sort((a, b) => b.length - a.length).join('|')})(?![\\w/°])`, 'gi') // prettier-ignore
const ONES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

const digits = (s: string): string => [...s].map(d => ONES[Number(d)] ?? '').join(' ')

/** A whole number: `105` → `one hundred five`; one too long for that, or with a leading zero, digit by digit. */
function whole(s: string): string {
  if (s.length > 15 || (s.length > 1 && s.startsWith('0'))) return digits(s)
  return toWords(Number(s)).replaceAll(',', '')
}

/** `1984` → `nineteen eighty-four`; only where people read it so. */
function year(s: string): string {
  const [century, rest] = [Number(s.slice(0, 2)), Number(s.slice(2))]
  if (rest === 0) return century % 10 === 0 ? whole(s) : `${whole(String(century))} hundred`
  if (century === 20 && rest < 10) return `two thousand ${whole(String(rest))}`
  return `${whole(String(century))} ${rest < 10 ? `oh ${whole(String(rest))}` : whole(String(rest))}`
}

function number(s: string): string {
  const [integer = '0', fraction] = s.split('.')
  return fraction === undefined ? whole(integer) : `${whole(integer || '0')} point ${digits(fraction)}`
}

function clock(hour: string, minute: string, half: string | undefined): string {
  const minutes =
    minute === '00' ? (half ? '' : "o'clock") : minute.startsWith('0') ? `oh ${whole(minute.slice(1))}` : whole(minute)
  const suffix = half ? (half.toLowerCase().startsWith('a') ? 'A.M.' : 'P.M.') : ''
  return [whole(String(Number(hour))), minutes, suffix].filter(Boolean).join(' ')
}

function money(sign: string, amount: string): string {
  const [one, many, part] = MONEY[sign] ?? ['', '', '']
  const [integer = '0', fraction] = amount.split('.')
  const major = `${whole(integer)} ${integer === '1' ? one : many}`
  return fraction && Number(fraction) > 0
    ? `${major} and ${whole(String(Number(fraction.padEnd(2, '0').slice(0, 2))))} ${part}`
    : major
}

/** Spells out what is not words: `It is 7:30, 21st May, $5.20.` → `It is seven thirty, twenty-first May, five dollars and twenty cents.` */
export function englishWords(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[’‘`´]/g, "'")
    .replace(/[“”"«»]/g, ' ')
    .replace(/\s[-–—]+\s|—|–(?!\d)/g, ', ')
    .replace(/…|\.{2,}/g, '. ')
    .replace(/(?<!\S)[A-Za-z][A-Za-z.]*\.(?!\S)/g, s => ABBREVIATIONS[s.toLowerCase()] ?? s)
    .replace(/\bno\.(?=\s?\d)/gi, 'number')
    .replace(/\b(\d{1,2}):(\d{2})(?::\d{2})?(?:\s?([ap])\.?m\b\.?)?/gi, (_, h: string, m: string, half?: string) =>
      clock(h, m, half),
    )
    .replace(/\b(\d{1,2})\s?([ap])\.?m\b\.?/gi, (_, h: string, half: string) => clock(h, '00', half))
    .replace(/([$£€¥])\s?(\d[\d,]*(?:\.\d+)?)/g, (_, sign: string, amount: string) =>
      money(sign, amount.replaceAll(',', '')),
    )
    .replace(/\b\d{1,3}(?:,\d{3})+(?:\.\d+)?/g, s => number(s.replaceAll(',', '')))
    .replace(MEASURE, (s, digit: string, name: string, at: number, all: string) => {
      const [one, many] = MEASURES[name.toLowerCase()] ?? ['', '']
      return `${digit} ${digit === '1' && !/[\d.]/.test(all.charAt(at - 1)) ? one : many}`
    })
    .replace(/\b(\d+)(?:st|nd|rd|th)\b/gi, (s, n: string) =>
      n.length > 15 ? s : toWordsOrdinal(Number(n)).replaceAll(',', ''),
    )
    .replace(/(?<![\d.])(1[1-9]\d\d|20\d\d)(?![\d.]\d|\d)/g, s => ` ${year(s)} `)
    .replace(/(?<=^|\s)[-−](?=\d)/g, ' minus ')
    .replace(/(\d)\s?[-–]\s?(?=\d)/g, '$1 to ')
    .replace(/\d{7,}/g, s => ` ${digits(s)} `)
    .replace(/\d*\.\d+|\d+/g, s => ` ${number(s)} `)
    .replace(/[&+=@%#×]/g, s => SIGNS[s] ?? s)
}
