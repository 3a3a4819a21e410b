import { linkifyit } from 'linkify-it'
import { digits } from './numbers.js'
import { spelled } from '../marks.js'

/* URLs, email addresses, file names and tags → words: `info@example.com` → `info at example dot com`. */

const linkify = linkifyit({ fuzzyLink: true, fuzzyEmail: true, fuzzyIP: false })

/** The names of signs. */
export const SIGN_NAMES: Record<string, string> = {
  '.': 'dot', '/': 'slash', '\\': 'backslash', '-': 'dash', '_': 'underscore', '@': 'at', ':': 'colon', '?': 'question mark', '=': 'equals',
  '&': 'and', '#': 'hash', '%': 'percent', '+': 'plus', '~': 'tilde', '!': 'exclamation mark', '*': 'star', ',': 'comma', ';': 'semicolon',
} // prettier-ignore

/** Words that are read letter by letter though they could be pronounced. */
const BY_LETTERS = new Set([
  'www',
  'exe',
  'py',
  'iso',
  'avi',
  'uk',
  'eu',
  'io',
  'ai',
  'api',
  'url',
  'id',
  'ui',
  'cpp',
  'asp',
  'aac',
])
const BY_SOUND = new Set(['co', 'me'])
const EXTENSION =
  'html?|xhtml|css|s[ac]ss|[cm]?js|jsx|[cm]?ts|tsx|json|xml|ya?ml|toml|ini|cfg|conf|md|txt|rtf|pdf|docx?|xlsx?|pptx?|csv|tsv|py|rb|rs|go|java|kt|' +
  'swift|c|cc|cpp|h|hpp|cs|php|sh|bat|exe|dll|dmg|iso|apk|zip|gz|tgz|tar|7z|rar|png|jpe?g|gif|bmp|svg|webp|ico|mp[34]|wav|flac|ogg|opus|' +
  'avi|mkv|mov|webm|gguf|onnx|safetensors|log|lock|sql|db'
const FILE = new RegExp(`(?<![\\w@./-])[\\w-]+(?:\\.[\\w-]+)*\\.(?:${EXTENSION})(?![\\w-]|\\.\\w)`, 'gi')
const PATH = /(?<![\w.])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.-]*[\w-]){2,}[/\\]?/g

/** `ThrowbackThursday` → `Throwback Thursday`. */
const unglued = (name: string): string => name.replace(/(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, ' ')

/** Reads a part of an address that consists of letters and digits. */
function part(s: string, isEnd: boolean): string {
  return s.replace(/[A-Za-z]+|\d+/g, run => {
    if (/\d/.test(run)) return ` ${run.length > 4 || (run.length > 1 && run.startsWith('0')) ? digits(run) : run} `
    const lower = run.toLowerCase()
    const letters = BY_LETTERS.has(lower) || (isEnd && run.length <= 2 && !BY_SOUND.has(lower))
    return letters ? spelled(run) : /^[A-Z]{2,}$/.test(run) && run.length > 4 ? lower : unglued(run)
  })
}

/** Replaces the signs in an address by words. */
function spoken(address: string): string {
  const pieces = address.split(/([^A-Za-z\d])/)
  const end = pieces.findLastIndex(piece => /^[A-Za-z]+$/.test(piece))
  return pieces
    .map((piece, i) => (SIGN_NAMES[piece] === undefined ? part(piece, i === end && i > 0) : ` ${SIGN_NAMES[piece]} `))
    .join('')
}

const withoutScheme = (url: string): string => url.replace(/^(?:https?|mailto|ftp):(?:\/\/)?/i, '').replace(/\/$/, '')

/** Whether this is not an address but a full stop without a space: `done.It`. */
const isTypo = (text: string): boolean =>
  /^[A-Za-z]+\.(?:[A-Z][a-z]*|[A-Za-z]{2}(?<=\.(?:it|is|in|at|so|no|to|me|my|us|do|am|be|as|by)))$/.test(text)

/** URLs and email addresses. */
function links(text: string): string {
  let out = ''
  let end = 0
  for (const { index, lastIndex, raw, schema } of linkify.match(text) ?? []) {
    if (schema === '' && isTypo(raw)) continue
    out += `${text.slice(end, index)} ${spoken(withoutScheme(raw))} `
    end = lastIndex
  }
  return out + text.slice(end)
}

/** Applies all of these to a text. */
export function addressesAsWords(text: string): string {
  return links(text)
    .replace(PATH, s => ` ${spoken(s)} `)
    .replace(FILE, s => ` ${spoken(s)} `)
    .replace(/\blocalhost:(\d+)/g, (_, port: string) => `localhost colon ${digits(port)}`)
    .replace(/(?<![\w&])#([A-Za-z]\w*)/g, (_, tag: string) => ` hashtag ${unglued(tag).replaceAll('_', ' ')} `)
    .replace(/(?<![\w.])@([A-Za-z]\w*)/g, (_, name: string) => ` at ${unglued(name).replaceAll('_', ' underscore ')} `)
}
