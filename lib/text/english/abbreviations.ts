import { cardinal, digits, ordinal, romanNumeral } from './numbers.js'
import { spelled } from '../marks.js'

/*
 * Abbreviations, initials and Roman numerals → words.
 */

/** Abbreviations before a name, a number or a word, whose full stop never ends a sentence. */
const BEFORE: Record<string, string> = {
  mr: 'mister', mrs: 'missus', ms: 'miz', messrs: 'messers', mx: 'mix', prof: 'professor', gen: 'general', col: 'colonel', capt: 'captain', cpt: 'captain', lt: 'lieutenant',
  sgt: 'sergeant', cpl: 'corporal', maj: 'major', cmdr: 'commander', adm: 'admiral', sen: 'senator', rep: 'representative', gov: 'governor', pres: 'president', rev: 'reverend',
  hon: 'honorable', mt: 'mount', ft: 'fort', vs: 'versus', 'e.g': 'for example', 'i.e': 'that is', approx: 'approximately', est: 'established', ca: 'circa', cf: 'compare',
  viz: 'namely', fig: 'figure', figs: 'figures', vol: 'volume', ch: 'chapter', sec: 'section', eq: 'equation', p: 'page', pp: 'pages', no: 'number', nos: 'numbers', art: 'article',
  ext: 'extension', tel: 'telephone', incl: 'including', excl: 'excluding', max: 'maximum', min: 'minimum', avg: 'average', op: 'opus',
} // prettier-ignore
/** These are abbreviations only before a number: "No. It is not." */
const BEFORE_NUMBERS = new Set([
  'no',
  'nos',
  'fig',
  'figs',
  'p',
  'pp',
  'ch',
  'sec',
  'eq',
  'art',
  'max',
  'min',
  'op',
  'vol',
  'ext',
  'est',
  'ca',
  'tel',
  'avg',
])
/** Abbreviations only before names. */
const BEFORE_NAMES = new Set(['gen', 'col', 'rep', 'gov', 'pres', 'rev', 'hon', 'mt', 'ft', 'sen', 'maj', 'adm'])
/** Abbreviations after a name or a word, whose full stop may also end the sentence. */
const AFTER: Record<string, string> = {
  jr: 'junior', sr: 'senior', inc: 'incorporated', ltd: 'limited', corp: 'corporation', co: 'company', bros: 'brothers', esq: 'esquire', ave: 'avenue', blvd: 'boulevard',
  rd: 'road', ln: 'lane', hwy: 'highway', pkwy: 'parkway', dept: 'department', univ: 'university', assn: 'association', govt: 'government', etc: 'et cetera', 'a.k.a': 'also known as',
  'et al': 'and others', apt: 'apartment', appt: 'appointment', misc: 'miscellaneous',
} // prettier-ignore
const ANY = new RegExp(
  `(?<![\\w.&'-])(${[...Object.keys(BEFORE), ...Object.keys(AFTER)].map(name => name.replaceAll('.', '\\.')).sort((a, b) => b.length - a.length).join('|')})\\.(?![\\w-])`, 'gi',
) // prettier-ignore

/** Saint Louis and Main Street, doctor Smith and Elm Drive. */
function streets(text: string): string {
  const endsStreet = /(?:\b(?:[A-Z][a-z]+|[A-Z])|\d(?:st|nd|rd|th))\s+$/
  return text.replace(/(?<![\w.])(St|Dr)\.(?!\w)/g, (found, name: string, at: number) => {
    const before = text.slice(0, at)
    const after = text.slice(at + found.length)
    const isStreet =
      endsStreet.test(before) && !/^\s+[A-Z][a-z]+/.test(after) && !/\b(?:The|In|At|On|Of)\s+$/.test(before)
    const word = name === 'St' ? (isStreet ? 'Street' : 'Saint') : isStreet ? 'Drive' : 'doctor'
    return word + (isStreet ? stopOf(after) : '')
  })
}

/** The full stop of an abbreviation ends the sentence if nothing follows. */
const stopOf = (after: string): string => (/^[\s"')\]”]*$/.test(after) ? '.' : '')

function abbreviations(text: string): string {
  return streets(text)
    .replace(
      /\b(Ph\.?D|M\.?D|B\.?Sc|M\.?Sc|B\.?A|M\.?B\.?A|D\.?C)\b\.?(?!\w)/g,
      (found, name: string, at: number, all: string) =>
        spelled(name) + (found.endsWith('.') ? stopOf(all.slice(at + found.length)) : ''),
    )
    .replace(ANY, (found, name: string, at: number, all: string) => {
      const key = name.toLowerCase()
      const after = all.slice(at + found.length)
      if (BEFORE_NUMBERS.has(key) && !/^:?\s?(?:[\d+(]|[IVXLC]+\b)/.test(after)) return found
      if (BEFORE_NAMES.has(key) && !(/^[A-Z]/.test(name) && /^\s[A-Z]/.test(after))) return found
      // At the end of a sentence, these are words.
      return BEFORE[key] ?? `${AFTER[key] ?? ''}${stopOf(after)}`
    })
    .replace(/\bw\/o\b/g, 'without')
    .replace(/\bw\/(?=\s|\w)/g, 'with ')
    .replace(/\bNr\.(?=\s?\d)/g, 'number')
}

/** `U.S.` and `J.R.R.` are read letter by letter. The full stop of a single initial is not a pause. */
function initials(text: string): string {
  return text
    .replace(
      /(?<![A-Za-z.])(?:[A-Za-z]\.){2,}(?![a-z])(?:[A-Z](?![a-z]))?/g,
      (found, at: number, all: string) =>
        ` ${spelled(found)}${found.endsWith('.') ? stopOf(all.slice(at + found.length)) : ''}`,
    )
    .replace(/(?<![A-Za-z.'\d]|\bI|\d\s)\b([A-HJ-Z])\.(?=\s+[A-Z][a-z]|\s+[A-Z]\.)/g, (_, letter: string) =>
      spelled(letter),
    )
}

const REGNAL =
  'Henry|Louis|Charles|Edward|George|James|Richard|William|John|Paul|Pius|Benedict|Elizabeth|Mary|Philip|Frederick|Napoleon|Nicholas|Alexander|' +
  'Peter|Catherine|Leo|Gregory|Innocent|Clement|Urban|Wilhelm|Ludwig|Otto|Ivan|Margaret|Isabella|Ferdinand|Alfonso|Carl|Gustav|Christian|Harald|' +
  'Haakon|Ramesses|Ptolemy|Cleopatra|Xerxes|Darius|Boniface|Sixtus|Felipe|Juan|Pedro|Leopold|Albert|Baldwin|Robert|Franz|Joseph|Francis'
const COUNTED =
  'Chapter|Part|Volume|Vol|Book|Act|Scene|Section|Article|Phase|Stage|Type|Class|Level|Grade|Tier|Title|Appendix|Figure|Table|War|Bowl|Apollo|Mark|Episode|Season|' +
  'Division|Group|Category|Schedule|Lesson|Unit|Round|Game|Day|Week|Year|Step|Item|Exhibit|Psalm|Canto|Sonnet|Symphony|Vatican|Schengen|Rocky|Rambo|Fantasy|Quest'

function romanNumerals(text: string): string {
  return text
    .replace(
      new RegExp(`\\b(${COUNTED})(s?\\.?\\s+)([IVXLC]+)\\b(?!['’.-]\\w)`, 'gi'),
      (found, name: string, space: string, s: string) => {
        const value = romanNumeral(s)
        return value === undefined || !/^[A-Z]/.test(name) ? found : `${name}${space}${cardinal(String(value))}`
      },
    )
    .replace(
      new RegExp(
        `\\b(${REGNAL})\\s+([IVXLC]+)\\b(?!['’.-][A-Za-z])(\\s+(?:am|was|have|had|will|would|can|do|did|think|know)\\b)?`,
        'g',
      ),
      (found, name: string, s: string, verb = '') => {
        const value = s === 'I' && verb !== '' ? undefined : romanNumeral(s)
        return value === undefined ? found : `${name} the ${ordinal(String(value))}${verb as string}`
      },
    )
    .replace(/(?<=\b[A-Z][\w']*\s)([IVX]{2,}|[IVX]*[LC][IVX]+)\b(?!['’.-][A-Za-z])/g, s => {
      const value = romanNumeral(s)
      return value === undefined ? s : cardinal(String(value))
    })
}

/** `+1 (415) 555-2671` → digits, group by group. */
export const telephone = (s: string): string =>
  s
    .split(/[^\d+]+/)
    .filter(group => group !== '')
    .map(group => `${group.startsWith('+') ? 'plus ' : ''}${digits(group)}`)
    .join(', ')

/** Numbers that are read digit by digit: telephone numbers, versions, postcodes. */
function namesOfDigits(text: string): string {
  return text
    .replace(/(?<![\w.])\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,6}(?!\w|-\d)/g, s => ` ${telephone(s)} `)
    .replace(/(?<![\w.])(?:1[ .-])?(?:\(\d{3}\)\s?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w|-\d)/g, s => ` ${telephone(s)} `)
    .replace(/(?<![\w.-])\d{3}-\d{4}(?!\w|-\d)/g, telephone)
    .replace(
      /(?<=\b(?:call|dial|phone|telephone|fax|text|ring)(?:\s+(?:number|me at|us at|at|on))?:?\s+)\d{3,}(?![\w,.:/-]\d|\w)/gi,
      digits,
    )
    .replace(
      /(?<=\b(?:zip|zip code|postcode|postal code|pin|pin code|passcode|area code|access code|code|extension|serial number|room|flight|route|bus)(?:\s+(?:is|number))?:?\s+)\d{3,}(?![\w,.:/-]\d|\w)/gi,
      s => digits(s),
    )
}

const PRODUCTS =
  'Node|Node\\.js|Python|iOS|iPadOS|Android|macOS|Windows|Ubuntu|Debian|Fedora|Linux|kernel|Java|PHP|Ruby|Go|Rust|Swift|Kotlin|Scala|Perl|React|Angular|Vue|Svelte|Django|Rails|Laravel|' +
  'Firefox|Chrome|Chromium|Safari|Edge|Electron|version|release|npm|yarn|pip|TypeScript|JavaScript|ECMAScript|Docker|Kubernetes|Git|GCC|Clang|LLVM|CMake|CUDA|OpenSSL|PostgreSQL|Postgres|MySQL|' +
  'SQLite|Redis|MongoDB|nginx|Apache|TensorFlow|PyTorch|GPT|Llama|Qwen|Gemini|Claude|Mistral|Whisper|Bluetooth|HTTP|TLS|USB|HDMI|PCIe|Wi-?Fi|OpenGL|Vulkan|Unity|Unreal|Blender|Photoshop|Office'
const points = (s: string): string => s.split('.').map(cardinal).join(' point ')
const suffix = (s: string | undefined): string =>
  s === undefined
    ? ''
    : ` ${s
        .slice(1)
        .replace(/[.-]/g, ' ')
        .replace(/([a-z])(?=\d)/gi, '$1 ')}`

function versions(text: string): string {
  return text
    .replace(/(?<![\w.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?!\w|\.\d)/g, s =>
      s.split('.').map(digits).join(' dot '),
    )
    .replace(
      /\bv(?:er)?\.?\s?(\d+(?:\.\d+)*)(-[A-Za-z][\w.-]*\w|-[a-z])?(?![\w.]\d|\w)/gi,
      (_, s: string, rest?: string) => `version ${points(s)}${suffix(rest)}`,
    )
    .replace(
      /(?<![\w.,])(\d+(?:\.\d+){2,})(-[A-Za-z][\w.-]*\w)?(?!\w)/g,
      (_, s: string, rest?: string) => points(s) + suffix(rest),
    )
    .replace(
      new RegExp(`\\b(${PRODUCTS})[ -](\\d+\\.\\d+)(?![\\w,%]|\\.\\d)`, 'g'),
      (_, name: string, s: string) => `${name} ${points(s)}`,
    )
}

/** Applies all of these to a text. Versions and telephone numbers come first, so that the remaining digits are numbers. */
export const abbreviationsAsWords = (text: string): string => romanNumerals(initials(abbreviations(text)))
export const namesOfDigitsAsWords = (text: string): string => versions(namesOfDigits(text))
