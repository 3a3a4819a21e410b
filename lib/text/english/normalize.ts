import { abbreviationsAsWords, namesOfDigitsAsWords } from './abbreviations.js'
import { addressesAsWords } from './addresses.js'
import { datesAsWords } from './dates.js'
import { digits, fraction, mixedFraction, number, ordinal, plural, year } from './numbers.js'
import { quantitiesAsWords } from './quantities.js'
import { spelled } from '../marks.js'

/* Written English → words and pauses: spells out dates, numbers, money, measures, addresses, abbreviations and signs. */

const VULGAR: Record<string, string> = {
  '½': '1/2', '⅓': '1/3', '⅔': '2/3', '¼': '1/4', '¾': '3/4', '⅕': '1/5', '⅖': '2/5', '⅗': '3/5', '⅘': '4/5', '⅙': '1/6', '⅚': '5/6', '⅐': '1/7', '⅛': '1/8', '⅜': '3/8',
  '⅝': '5/8', '⅞': '7/8', '⅑': '1/9', '⅒': '1/10',
} // prettier-ignore
const SIGNS: Record<string, string> = {
  '&': 'and', '+': 'plus', '=': 'equals', '@': 'at', '%': 'percent', '‰': 'per mille', '#': 'number', '×': 'times', '÷': 'divided by', '±': 'plus or minus', '≈': 'approximately', '≠': 'is not equal to',
  '≤': 'is at most', '≥': 'is at least', '√': 'square root of', '°': 'degrees', '§': 'section', '©': 'copyright', '€': 'euros', '£': 'pounds', '$': 'dollars', '∞': 'infinity', π: 'pi', 'µ': 'micro',
} // prettier-ignore
const SIGN = new RegExp(`[${Object.keys(SIGNS).join('')}]`, 'g')

/** Replaces typographic characters by plain ones. */
function plainSigns(text: string): string {
  return text
    .replace(
      /(\d?)\s?([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])/g,
      (_, whole: string, sign: string) => `${whole && `${whole} `}${VULGAR[sign] ?? ''}`,
    )
    .replace(/(?<=\d|\d\s)(sq|square|cubic)\.?\s(?=ft|mi|m\b)/g, '$1 ')
    .replace(/℃/g, '°C')
    .replace(/℉/g, '°F')
    .replace(/№/g, 'No. ')
    .replace(/[™®℠]/g, ' ')
    .replace(/(?<=[A-Za-z\d)])²/g, '\uf8f2')
    .replace(/(?<=[A-Za-z\d)])³/g, '\uf8f3')
    .normalize('NFKC')
    .replaceAll('\uf8f2', '²')
    .replaceAll('\uf8f3', '³')
    .replace(/[’‘`´]/g, "'")
    .replace(/[−‐‑]/g, '-')
    .replace(/…|\.{2,}/g, '. ')
}

/** Removes quotation marks and replaces dashes by pauses. */
const withoutQuotes = (text: string): string =>
  text.replace(/[“”"«»]/g, ' ').replace(/(?<!\d)\s[-–—]+\s|\s[-–—]+\s(?!\d)|—|(?<!\d)–|–(?!\d)/g, ', ')

function arithmetic(text: string): string {
  const isSum = /\d\s?=|=\s?\d/.test(text)
  return text
    .replace(/\bC\+\+/g, 'C plus plus')
    .replace(/\b([CF])#/g, '$1 sharp')
    .replace(/²(?![A-Za-z])/g, ' squared')
    .replace(/³(?![A-Za-z])/g, ' cubed')
    .replace(/(?<=\w)\^(?=[-\w(])/g, ' to the power of ')
    .replace(/(?<=\d)\s?[*x]\s?(?=\d)/g, ' times ')
    .replace(/(?<=\d)\s\/\s(?=\d)/g, ' divided by ')
    .replace(/(?<=[\w)])\s+<\s+(?=[\w(-])/g, ' is less than ')
    .replace(/(?<=[\w)])\s+>\s+(?=[\w(-])/g, ' is greater than ')
    .replace(/(?<=[\d)])\s?-\s?(?=\d)/g, s => (isSum ? ' minus ' : s))
}

function fractions(text: string): string {
  return text
    .replace(/\b24\/7\b/g, 'twenty-four seven')
    .replace(/\b9\/11\b/g, 'nine eleven')
    .replace(/(?<![\w./])(\d+)[\s-](\d{1,2})\/(\d{1,3})(?![\w/]|\.\d)/g, (s, whole: string, n: string, d: string) =>
      Number(n) < Number(d) && !d.startsWith('0') ? mixedFraction(whole, n, d) : s,
    )
    .replace(/(?<![\w./])(\d{1,3})\/(\d{1,3})(?![\w/]|\.\d)/g, (_, n: string, d: string) =>
      Number(d) % 10 === 0 && Number(d) > 0
        ? `${number(n)} out of ${number(d)}`
        : Number(d) > 1 && Number(d) < 100 && Number(n) < Number(d) && !(n + d).startsWith('0')
          ? fraction(n, d)
          : `${number(n)} over ${number(d)}`,
    )
}

const RANGE = /(?<=\d%?)\s?[-–]\s?(?=\d)/g
const YEAR = '(1[1-9]\\d\\d|20\\d\\d)'
/** Words that come before years. */
const YEARLY =
  /(?<=\b(?:in|of|since|from|by|until|till|before|after|during|around|circa|year|early|late|between|to)\s)10\d\d(?![\d,.]\d|\d|\s?%)/gi

function numbers(text: string): string {
  return text
    .replace(/(?<=[A-Za-z]-?)(\d+)s\b/g, (_, n: string) => ` ${plural(number(n))}`)
    .replace(/\b([A-Z]{1,3})(?=\d| (?:zero|one|two|three|four|five|six|seven|eight|nine)s\b)/g, s => `${spelled(s)} `)
    .replace(/(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?/g, number)
    .replace(/(?<![\w.])(\d+)(?:st|nd|rd|th)\b/gi, (_, n: string) => ordinal(n))
    .replace(RANGE, ' to ')
    .replace(/(?<=\b\d{1,2}):(?=\d{1,2}\b)/g, ' to ')
    .replace(/(?<![\w.,/])(\d{1,4})\s(?=(?:BC|AD|BCE|CE)\b)/g, (_, y: string) => `${year(y)} `)
    .replace(YEARLY, year)
    .replace(new RegExp(`(?<![\\d.,]|\\d\\s)${YEAR}(?![\\d.,]\\d|\\d|\\s?%)`, 'g'), y => ` ${year(y)} `)
    .replace(/(?<=^|[\s(])-\s?(?=[\d.])/g, ' minus ')
    .replace(/~\s?(?=\d)/g, ' approximately ')
    .replace(/(?<![.\d])\d{7,}(?!\.\d|\d)/g, s => ` ${s.endsWith('000') ? number(s) : digits(s)} `)
    .replace(/\d*\.\d+|\d+/g, s => ` ${number(s)} `)
}

function signs(text: string): string {
  return text
    .replace(/\b([A-Z])\s?&\s?([A-Z])\b/g, (_, a: string, b: string) => `${spelled(a)} and ${spelled(b)}`)
    .replace(/\b([A-Z]{2,})\s?&\s?([A-Z])\b/g, (_, a: string, b: string) => `${spelled(a)} and ${spelled(b)}`)
    .replace(/\band\/or\b/gi, 'and or')
    .replace(/(?<=[A-Za-z])\/(?=[A-Za-z])/g, ' slash ')
    .replace(SIGN, sign => ` ${SIGNS[sign] ?? ''} `)
}

type Step = (text: string) => string

/** Most texts have no numbers; the most expensive steps are then skipped. */
const where =
  (sign: RegExp, step: Step): Step =>
  text =>
    sign.test(text) ? step(text) : text

const STEPS: readonly Step[] = [
  plainSigns,
  where(/[@#/\\:]|\.\w/, addressesAsWords),
  abbreviationsAsWords,
  where(/\d/, datesAsWords),
  where(/\d/, quantitiesAsWords),
  where(/\d/, namesOfDigitsAsWords),
  withoutQuotes,
  arithmetic,
  where(/\d/, fractions),
  where(/\d/, numbers),
  signs,
]

/**
 * Spells out everything that is not a word: `It is 7:30, 21st May, $5.20.` → `It is seven thirty, the twenty-first of
 * May, five dollars and twenty cents.` Letters that are to be read one by one are marked (marks.ts).
 */
export const englishWords = (text: string): string => STEPS.reduce((written, step) => step(written), text)
