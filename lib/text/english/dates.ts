import { cardinal, decade, ordinal, plural, year } from './numbers.js'
import { spelled } from '../marks.js'

/*
 * Dates and times → words.
 */

const MONTHS = [
  'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December',
] // prettier-ignore
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTH =
  '(January|February|March|April|May|June|July|August|September|October|November|December|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\\b\\.?)'
const DAY = '(0?[1-9]|[12]\\d|3[01])(?:st|nd|rd|th)?'
const HALF = '(?:\\s?([ap])(?:m\\b|\\.m\\.?(?!\\w)))'

/** The name of a month or day that begins with these letters. */
const named = (names: readonly string[], start: string): string =>
  names.find(name => name.toLowerCase().startsWith(start.slice(0, 3).toLowerCase())) ?? start

const isDate = (month: number, day: number): boolean => month >= 1 && month <= 12 && day >= 1 && day <= 31

/**
 * `3`, `15`, `2024` → `March fifteenth, twenty twenty-four`. Two digits are a year of this century, from 50 on of the
 * last one.
 */
export function date(month: string, day: string, ofYear?: string): string {
  const whole = ofYear?.length === 2 ? `${Number(ofYear) < 50 ? '20' : '19'}${ofYear}` : ofYear
  return `${MONTHS[Number(month) - 1] ?? ''} ${ordinal(String(Number(day)))}${whole === undefined ? '' : `, ${year(whole)}`}`
}

/** `15`, `05` → `fifteen oh five`; with the half of the day, `three oh five P.M.` */
export function clock(hour: string, minute: string, half?: string, second?: string): string {
  const h = Number(hour)
  const ofHour = minute === '00' ? (half ? '' : h === 0 ? 'hundred' : h > 12 ? 'hundred' : "o'clock") : ''
  const minutes =
    minute === '00' ? ofHour : minute.startsWith('0') ? `oh ${cardinal(minute.slice(1))}` : cardinal(minute)
  const seconds =
    second === undefined ? '' : `and ${cardinal(String(Number(second)))} ${second === '01' ? 'second' : 'seconds'}`
  return [cardinal(String(h)), minutes, seconds, half ? spelled(`${half}m`) : ''].filter(Boolean).join(' ')
}

/** Keeps the full stop of replaced text if it also ended the sentence. */
const stop = (found: string, at: number, text: string): string =>
  found.endsWith('.') && /^\s*["')\]”]*\s*$/.test(text.slice(at + found.length)) ? '.' : ''

function numericDates(text: string): string {
  return text
    .replace(/(?<![\d/-])(\d{4})-(\d\d)-(\d\d)(?:T(?=\d\d:))?(?![\d/-])/g, (s, y: string, m: string, d: string) =>
      isDate(Number(m), Number(d)) ? `${date(m, d, y)} ` : s,
    )
    .replace(/(?<![\d/.-])(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?![\d/-]|\.\d)/g, (s, y: string, m: string, d: string) =>
      isDate(Number(m), Number(d)) ? date(m, d, y) : s,
    )
    .replace(
      /(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)(?![\d/-]|\.\d)/g,
      (s, a: string, sign: string, b: string, y: string) => {
        // With slashes the month comes first, as in America; with full stops the day, as in Europe; unless only the
        // other order is possible.
        const [m, d] = (sign === '.' && Number(b) <= 12) || Number(a) > 12 ? [b, a] : [a, b]
        return isDate(Number(m), Number(d)) && (sign !== '.' || y.length === 4) ? date(m, d, y) : s
      },
    )
}

function writtenDates(text: string): string {
  return text
    .replace(
      /\b(Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?(?=,?\s+(?:[A-Z][a-z]{2}|\d))/g,
      (s, day: string, at: number) => {
        // Sun and Sat are also words.
        const rest = text.slice(at + s.length)
        const dated = new RegExp(`^,?\\s+(?:${MONTH}|${DAY}\\b)`).test(rest)
        return dated ? named(DAYS, day) : s
      },
    )
    .replace(
      new RegExp(`\\b${MONTH}\\s+${DAY}(?:\\s?[-–]\\s?${DAY})?(?![\\d:]|[.,]\\d)(?:,?\\s+(\\d{4})\\b(?!:))?`, 'g'),
      (_, m: string, d: string, to?: string, y?: string) =>
        `${named(MONTHS, m)} ${ordinal(String(Number(d)))}${to === undefined ? '' : ` to ${ordinal(String(Number(to)))}`}${y === undefined ? '' : `, ${year(y)}`}`,
    )
    .replace(
      new RegExp(`\\b(?:the\\s+)?${DAY}\\s+(?:of\\s+)?${MONTH}(?![a-z])(?:,?\\s+(\\d{4})\\b)?`, 'g'),
      (_, d: string, m: string, y?: string) =>
        `the ${ordinal(String(Number(d)))} of ${named(MONTHS, m)}${y === undefined ? '' : `, ${year(y)}`}`,
    )
    .replace(new RegExp(`\\b${MONTH}(?=,?\\s+\\d{4}\\b)`, 'g'), (s, m: string) => (s.length < 5 ? named(MONTHS, m) : s))
}

/** Spells out all dates, decades and times of day in a text. */
export function datesAsWords(text: string): string {
  return writtenDates(numericDates(text))
    .replace(new RegExp(`(\\d${HALF}|\\d:\\d\\d)\\s?[-–]\\s?(?=\\d{1,2}(?::\\d\\d|\\s?[ap]\\.?m))`, 'gi'), '$1 to ')
    .replace(
      new RegExp(`\\b([01]?\\d|2[0-4]):([0-5]\\d)(?::([0-5]\\d))?${HALF}?(?![\\d:])`, 'gi'),
      (found, h: string, m: string, s: string | undefined, half: string | undefined, at: number, all: string) =>
        clock(h, m, half, s) + stop(found, at, all),
    )
    .replace(
      new RegExp(`\\b(1[0-2]|0?\\d)${HALF}`, 'gi'),
      (found, h: string, half: string, at: number, all: string) => clock(h, '00', half) + stop(found, at, all),
    )
    .replace(/(?<![\w.])(1\d|20)(\d)0'?s\b/g, (s, century: string, ten: string) => decade(`${century}${ten}0`))
    .replace(/(?<!\d)'?(?<![\d.,-])([2-9]0)'?s\b/g, (_, ten: string) => plural(cardinal(ten)))
    .replace(/(?<=\bmid-|\bearly-|\blate-)([2-9]0)s\b/gi, (_, ten: string) => plural(cardinal(ten)))
}
