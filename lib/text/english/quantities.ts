import { cardinal, number } from './numbers.js'

/*
 * Money and measures → words.
 */

type Names = readonly [one: string, many: string]

const MAGNITUDES: Record<string, string> = {
  k: 'thousand', m: 'million', mn: 'million', mm: 'million', mio: 'million', b: 'billion', bn: 'billion', t: 'trillion', tn: 'trillion',
  thousand: 'thousand', million: 'million', billion: 'billion', trillion: 'trillion',
} // prettier-ignore
const SIGNS: Record<string, readonly [...Names, part: string, parts: string]> = {
  $: ['dollar', 'dollars', 'cent', 'cents'], '£': ['pound', 'pounds', 'penny', 'pence'], '€': ['euro', 'euros', 'cent', 'cents'],
  '¥': ['yen', 'yen', '', ''], '₹': ['rupee', 'rupees', 'paisa', 'paise'], '₩': ['won', 'won', '', ''], '₽': ['ruble', 'rubles', 'kopek', 'kopeks'],
  '₿': ['bitcoin', 'bitcoins', '', ''],
} // prettier-ignore
/** Country prefixes of the dollar sign. */
const COUNTRIES: Record<string, string> = {
  us: 'US', a: 'Australian', au: 'Australian', c: 'Canadian', ca: 'Canadian', hk: 'Hong Kong', nz: 'New Zealand', s: 'Singapore', nt: 'New Taiwan', cn: '', rmb: '',
} // prettier-ignore
const CODES = 'USD|EUR|GBP|JPY|CNY|RMB|CHF|CAD|AUD|NZD|INR|KRW|HKD|SGD|SEK|NOK|DKK|PLN|CZK|HUF|RUB|BRL|MXN|ZAR|TRY|THB'
const AMOUNT = '((?:\\d{1,3}(?:,\\d{3})+|\\d+)(?:\\.\\d+)?|\\.\\d+)'
const SIGN = `[${Object.keys(SIGNS).join('')}]`
const MAGNITUDE = '(?:\\s?(thousand|million|billion|trillion)\\b|(k|mn|mm|mio|m|bn|b|tn|t)(?![\\w/]))?'

/** An amount and its currency. */
function money(names: readonly [...Names, string, string], amount: string, magnitude: string | undefined): string {
  const [one, many, part, parts] = names
  const plain = amount.replaceAll(',', '')
  if (magnitude) return `${number(plain)} ${MAGNITUDES[magnitude.toLowerCase()] ?? ''} ${many}`
  const [whole = '', fraction = ''] = plain.split('.')
  const small = Number(fraction.padEnd(2, '0'))
  if (fraction === '' || (small === 0 && fraction.length <= 2))
    return `${cardinal(whole)} ${whole === '1' ? one : many}`
  if (fraction.length > 2 || part === '') return `${number(plain)} ${many}`
  const rest = `${cardinal(String(small))} ${small === 1 ? part : parts}`
  return Number(whole) === 0 ? rest : `${cardinal(whole)} ${whole === '1' ? one : many} and ${rest}`
}

/** The name of a currency by its code, such as `Swiss francs`, from the platform's locale data. */
function nameOf(code: string, count: number): string {
  const currency = code === 'RMB' ? 'CNY' : code
  const format = new Intl.NumberFormat('en-US', { style: 'currency', currency, currencyDisplay: 'name' })
  return format.formatToParts(count).find(({ type }) => type === 'currency')?.value ?? code
}

function moneyAsWords(text: string): string {
  const country = `(?:\\b(${Object.keys(COUNTRIES).join('|')}))?`
  const withSign = new RegExp(
    `(-)?${country}(${SIGN})\\s?(-)?${AMOUNT}(?:\\s?[-–]\\s?\\3?${AMOUNT})?${MAGNITUDE}`,
    'gi',
  )
  const withCode = new RegExp(`\\b(${CODES})\\s?${AMOUNT}${MAGNITUDE}`, 'g')
  const beforeCode = new RegExp(`(?<![\\w.])${AMOUNT}${MAGNITUDE}\\s?(${CODES})\\b`, 'g')
  const beforeSign = new RegExp(`(?<![\\w.])${AMOUNT}${MAGNITUDE}\\s?([€£₽])`, 'gi')
  const code = (name: string, amount: string, magnitude: string | undefined): string => {
    const count = Number(amount.replaceAll(',', ''))
    return money([nameOf(name, 1), nameOf(name, 2), '', ''], count === 1 ? '1' : amount, magnitude)
  }
  return text
    .replace(
      withSign,
      (
        _,
        minus: string | undefined,
        land: string | undefined,
        sign: string,
        minus2: string | undefined,
        amount: string,
        to: string | undefined,
        long: string | undefined,
        short: string | undefined,
      ) => {
        const [one, many, part, parts] = SIGNS[sign] ?? ['', '', '', '']
        const where = land === undefined ? '' : (COUNTRIES[land.toLowerCase()] ?? '')
        const names = [`${where} ${one}`.trim(), `${where} ${many}`.trim(), part, parts] as const
        const start = (minus ?? minus2) === undefined ? '' : 'minus '
        const range = to === undefined ? '' : `${number(amount)} to `
        return ` ${start}${range}${money(names, to ?? amount, long ?? short)}`
      },
    )
    .replace(withCode, (_, name: string, amount: string, long?: string, short?: string) =>
      code(name, amount, long ?? short),
    )
    .replace(beforeCode, (_, amount: string, long: string | undefined, short: string | undefined, name: string) =>
      code(name, amount, long ?? short),
    )
    .replace(beforeSign, (_, amount: string, long: string | undefined, short: string | undefined, sign: string) =>
      money(SIGNS[sign] ?? ['', '', '', ''], amount, long ?? short),
    )
    .replace(/(\d+)\s?¢/g, (_, cents: string) => `${cardinal(cents)} ${cents === '1' ? 'cent' : 'cents'}`)
}

const s = (name: string): Names => [name, `${name}s`]
/**
 * Names of units of measurement. Case matters: mb and Mb, m and M. A unit that is not found as it is written is looked
 * up in lower case.
 */
const MEASURES: Record<string, Names> = {
  km: s('kilometer'), m: s('meter'), cm: s('centimeter'), mm: s('millimeter'), µm: s('micrometer'), μm: s('micrometer'), nm: s('nanometer'), mi: s('mile'), yd: s('yard'),
  ft: ['foot', 'feet'], in: ['inch', 'inches'], kg: s('kilogram'), g: s('gram'), mg: s('milligram'), µg: s('microgram'), μg: s('microgram'), lb: s('pound'), lbs: s('pound'), oz: s('ounce'),
  t: s('ton'), l: s('liter'), ml: s('milliliter'), cl: s('centiliter'), dl: s('deciliter'), gal: s('gallon'), tsp: s('teaspoon'), tbsp: s('tablespoon'),
  mph: ['mile per hour', 'miles per hour'], kph: ['kilometer per hour', 'kilometers per hour'],
  fps: ['frame per second', 'frames per second'], rpm: ['revolution per minute', 'revolutions per minute'], bpm: ['beat per minute', 'beats per minute'],
  dpi: ['dot per inch', 'dots per inch'], ppm: ['part per million', 'parts per million'],
  Hz: ['hertz', 'hertz'], kHz: ['kilohertz', 'kilohertz'], MHz: ['megahertz', 'megahertz'], GHz: ['gigahertz', 'gigahertz'], dB: s('decibel'),
  V: s('volt'), kV: s('kilovolt'), mV: s('millivolt'), mA: s('milliampere'), mAh: ['milliampere hour', 'milliampere hours'],
  W: s('watt'), kW: s('kilowatt'), MW: s('megawatt'), GW: s('gigawatt'), kWh: ['kilowatt hour', 'kilowatt hours'], kJ: s('kilojoule'), Pa: s('pascal'),
  hPa: s('hectopascal'), kPa: s('kilopascal'), kcal: s('kilocalorie'), cal: s('calorie'), hp: ['horsepower', 'horsepower'],
  KB: s('kilobyte'), MB: s('megabyte'), GB: s('gigabyte'), TB: s('terabyte'), PB: s('petabyte'), KiB: s('kibibyte'), MiB: s('mebibyte'), GiB: s('gibibyte'),
  Kb: s('kilobit'), Mb: s('megabit'), Gb: s('gigabit'), kbps: ['kilobit per second', 'kilobits per second'], Mbps: ['megabit per second', 'megabits per second'],
  Gbps: ['gigabit per second', 'gigabits per second'],
  px: s('pixel'), MP: s('megapixel'), s: s('second'), sec: s('second'), secs: s('second'), ms: s('millisecond'), µs: s('microsecond'), μs: s('microsecond'), ns: s('nanosecond'),
  min: s('minute'), mins: s('minute'), h: s('hour'), hr: s('hour'), hrs: s('hour'), yr: s('year'), yrs: s('year'), wk: s('week'), wks: s('week'), pts: s('point'),
  'm²': s('square meter'), 'km²': s('square kilometer'), 'cm²': s('square centimeter'), 'ft²': ['square foot', 'square feet'], 'mi²': s('square mile'),
  'm³': s('cubic meter'), 'cm³': s('cubic centimeter'), 'km³': s('cubic kilometer'), sqm: s('square meter'), 'sq ft': ['square foot', 'square feet'], 'sq mi': s('square mile'), 'sq m': s('square meter'),
  '°C': ['degree Celsius', 'degrees Celsius'], '°F': ['degree Fahrenheit', 'degrees Fahrenheit'], '°K': s('kelvin'), '°': s('degree'), 'Ω': s('ohm'), 'kΩ': s('kiloohm'),
} // prettier-ignore
const LOWER = new Map(Object.entries(MEASURES).map(([name, names]) => [name.toLowerCase(), names]))
/**
 * Units that are only matched as they are written: 5 G, 4 M and 2 T are something else. After a space, `in` is mostly a
 * word.
 */
const EXACT = new Set(
  ['g', 'm', 't', 's', 'h', 'l', 'v', 'w', 'in', 'mp', 'pa'].flatMap(name => [name, name.toUpperCase()]),
)
const GLUED_ONLY = new Set(['in', 's', 't'])
const MEASURE = new RegExp(
  `(\\d|½)(\\s|-)?(${Object.keys(MEASURES).sort((a, b) => b.length - a.length).join('|')})(?:/([a-z]+))?(\\.(?=\\s+[a-z\\d]))?(?![\\w/°²³]|'[a-z])`, 'gi',
) // prettier-ignore

function measuresAsWords(text: string): string {
  return text
    .replace(
      /(?<![\w.])(\d+)'\s?(\d{1,2})(?:"|″|'')/g,
      (_, feet: string, inches: string) => `${cardinal(feet)} foot ${cardinal(inches)}`,
    )
    .replace(
      MEASURE,
      (
        found,
        digit: string,
        space: string | undefined,
        name: string,
        of: string | undefined,
        _dot: unknown,
        at: number,
        all: string,
      ) => {
        const names = MEASURES[name] ?? (EXACT.has(name) ? undefined : LOWER.get(name.toLowerCase()))
        const isName = /[A-Za-z][\d-]*$/.test(all.slice(0, at)) && !/\d\s/.test(found) // MP3s
        if (!names || isName || (space !== undefined && GLUED_ONLY.has(name))) return found
        const alone = digit === '1' && !/[\d.,/]/.test(all.charAt(at - 1))
        // "a 5-km run": one kilometer
        const per = of === undefined ? '' : ` per ${(MEASURES[of] ?? LOWER.get(of.toLowerCase()))?.[0] ?? of}`
        return `${digit} ${alone || space === '-' ? names[0] : names[1]}${per}`
      },
    )
}

/** Spells out money and measures in a text. The numbers of measures are left as digits. */
export const quantitiesAsWords = (text: string): string => measuresAsWords(moneyAsWords(text))
