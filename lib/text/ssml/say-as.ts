import { telephone as englishTelephone } from '../english/abbreviations.js'
import { SIGN_NAMES } from '../english/addresses.js'
import { clock, date as englishDate } from '../english/dates.js'
import { cardinal, digits, fraction, mixedFraction, number, ordinal, romanNumeral, year } from '../english/numbers.js'
import { spelled } from '../marks.js'
import {
  dated,
  digits as mandarinDigits,
  number as mandarinNumber,
  telephone as mandarinTelephone,
} from '../mandarin/numbers.js'

/* SSML's say-as: converts a text with a given interpretation to words that the front ends read unchanged. */

/** Splits a date into month, day and year by a format such as `mdy`. */
function dateParts(text: string, format: string | undefined): { y?: string; m?: string; d?: string } | undefined {
  const parts = text.split(/[^\d]+/).filter(part => part !== '')
  const letters = [...(format ?? (parts[0]?.length === 4 ? 'ymd' : parts.length === 2 ? 'md' : 'mdy'))].filter(c =>
    'ymd'.includes(c),
  )
  const order = [...new Set(letters)]
  if (/^\d{8}$/.test(text.trim()))
    parts.splice(0, 1, text.trim().slice(0, 4), text.trim().slice(4, 6), text.trim().slice(6))
  if (parts.length !== order.length) return undefined
  const found = Object.fromEntries(order.map((letter, i) => [letter, parts[i]])) as {
    y?: string
    m?: string
    d?: string
  }
  const fits = (s: string | undefined, most: number): boolean =>
    s === undefined || (Number(s) >= 1 && Number(s) <= most)
  return fits(found.m, 12) && fits(found.d, 31) ? found : undefined
}

function englishCharacters(text: string): string {
  return Array.from(text.replace(/\s+/g, ' '), c => {
    if (/[A-Za-z]/.test(c)) return spelled(c)
    return /\d/.test(c) ? digits(c) : (SIGN_NAMES[c] ?? c)
  }).join(' ')
}

function englishFraction(text: string): string | undefined {
  const match = /^\s*(?:(\d+)\s*[+ ]\s*)?(\d+)\s*\/\s*(\d+)\s*$/.exec(text)
  if (!match) return undefined
  const [, whole, n = '', d = ''] = match
  if (Number(d) < 2) return undefined
  return whole === undefined ? fraction(n, d) : mixedFraction(whole, n, d)
}

/** `7:05am`, `19:05:30`, and the duration `1'21"`. */
function englishTime(text: string): string | undefined {
  const span = /^\s*(\d+)'(?:(\d+)(?:"|''))?\s*$/.exec(text)
  const many = (n: string, name: string): string => `${cardinal(n)} ${name}${n === '1' ? '' : 's'}`
  if (span)
    return [many(span[1] ?? '', 'minute'), span[2] === undefined ? '' : many(span[2], 'second')].join(' ').trim()
  const match = /^\s*(\d{1,2})(?::?(\d\d))?(?::(\d\d))?\s*([ap])?\.?\s*m?\.?\s*$/i.exec(text)
  if (!match || Number(match[1]) > 24 || Number(match[2] ?? 0) > 59) return undefined
  return clock(match[1] ?? '', match[2] ?? '00', match[4], match[3])
}

const MONTHS = [
  '',
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

function englishDates(text: string, format: string | undefined): string | undefined {
  const found = dateParts(text, format)
  if (!found) return undefined
  const { y, m, d } = found
  if (m !== undefined && d !== undefined) return englishDate(m, d, y)
  if (m !== undefined) return [MONTHS[Number(m)], y === undefined ? '' : year(y)].join(' ').trim()
  return y !== undefined && d === undefined ? year(y) : d === undefined ? undefined : ordinal(String(Number(d)))
}

function english(text: string, as: string, format: string | undefined): string | undefined {
  const plain = text.trim()
  const isNumber = /^[-+−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)$/.test(plain)
  switch (as) {
    case 'cardinal':
    case 'number': {
      if (format === 'ordinal') return english(text, 'ordinal', undefined)
      if (format === 'digits' || format === 'telephone') return english(text, format, undefined)
      const roman = romanNumeral(plain)
      if (roman !== undefined) return cardinal(String(roman))
      if (/^\d+\/\d+$/.test(plain)) return englishFraction(plain)
      return isNumber ? `${/^[-−]/.test(plain) ? 'minus ' : ''}${number(plain.replace(/^[-+−]/, ''))}` : undefined
    }
    case 'ordinal': {
      const n = romanNumeral(plain) ?? /^(\d[\d,]*)(?:st|nd|rd|th)?$/i.exec(plain)?.[1]?.replaceAll(',', '')
      return n === undefined ? undefined : ordinal(String(n))
    }
    case 'digits':
      return digits(plain)
    case 'telephone':
      return englishTelephone(plain)
    case 'date':
      return englishDates(plain, format)
    case 'time':
      return englishTime(plain)
    case 'fraction':
      return englishFraction(plain)
    default:
      return undefined
  }
}

function mandarin(text: string, as: string, format: string | undefined): string | undefined {
  const plain = text.trim()
  const isNumber = /^[-+−]?\d[\d,]*(?:\.\d+)?$/.test(plain)
  const value = (): string => `${/^[-−]/.test(plain) ? '负' : ''}${mandarinNumber(plain.replace(/^[-+−]/, ''))}`
  switch (as) {
    case 'cardinal':
    case 'number':
      return isNumber ? value() : undefined
    case 'ordinal':
      return /^\d+$/.test(plain) ? `第${mandarinNumber(plain)}` : undefined
    case 'digits':
      return mandarinDigits(plain)
    case 'telephone':
      return plain.split(/\D+/).filter(Boolean).map(mandarinTelephone).join('，')
    case 'date': {
      const found = dateParts(plain, format)
      if (!found) return undefined
      const { y, m, d } = found
      if (y !== undefined && m !== undefined && d !== undefined) return dated(y, m, d)
      const named = (s: string | undefined, unit: string): string =>
        s === undefined ? '' : `${mandarinNumber(String(Number(s)))}${unit}`
      return `${y === undefined ? '' : `${mandarinDigits(y)}年`}${named(m, '月')}${named(d, '日')}`
    }
    case 'fraction': {
      const match = /^(\d+)\s*\/\s*(\d+)$/.exec(plain)
      return match ? `${mandarinNumber(match[2] ?? '')}分之${mandarinNumber(match[1] ?? '')}` : undefined
    }
    default:
      return undefined
  }
}

const BY_CHARACTER = new Set(['characters', 'spell-out', 'verbatim', 'letters'])

/**
 * Converts a text to words by its interpretation; a text that does not fit it is returned unchanged and read as any
 * text. (Units, currencies and addresses need no conversion here, because the front end recognizes them.)
 *
 * @param as - interpret-as
 */
export function sayAs(text: string, as: string, format: string | undefined, language: 'en' | 'zh'): string {
  const kind = as.toLowerCase().replace(/^vxml:/, '')
  if (BY_CHARACTER.has(kind)) {
    if (language === 'en') return englishCharacters(text)
    return Array.from(text.trim(), c => (/\d/.test(c) ? mandarinDigits(c) : c)).join(' ')
  }
  return (language === 'zh' ? mandarin : english)(text, kind, format) ?? text
}
