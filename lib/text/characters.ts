import { InvalidArgumentError, UnsupportedError } from '../errors.js'
import { CHANGE } from './marks.js'
import type { VoiceText } from './voice-text.js'

const IS_CHANGE = new RegExp(`^${CHANGE}$`)

/* Text to symbols for voices that read letters, as transformers' VitsTokenizer does it. */

/**
 * Splits a text into the letters that the voice knows.
 *
 * @throws {@link UnsupportedError} the voice knows only a romanization of the text's script; says what helps
 */
export function charactersOf(text: string, voice: VoiceText): string[] {
  const lowered = voice.lowerCase ? lowerCase(text, voice) : text
  const plain = voice.language === 'ron' ? lowered.replaceAll('ț', 'ţ') : lowered
  const letters = [...plain]
  if (voice.uroman) {
    const foreign = [...new Set(letters.filter(c => /\p{L}/u.test(c) && !/[\0-\x7f]/.test(c) && !(c in voice.symbols)))]
    if (foreign.length > 0) {
      throw new UnsupportedError(
        `this voice reads romanized text only, and the text holds ${JSON.stringify(foreign.slice(0, 8).join(''))}; romanize it with uroman first ` +
          '(pip install uroman; python -m uroman "text")',
        { component: 'uroman', found: foreign.join('') },
      )
    }
  }
  const known = letters.filter(c => c in voice.symbols || IS_CHANGE.test(c))
  while (known[0] === ' ') known.shift()
  while (known.at(-1) === ' ') known.pop()
  return known
}

/** Converts to lower case, except for characters that the voice has in upper case. */
function lowerCase(text: string, { symbols }: VoiceText): string {
  return Array.from(text, c => (c in symbols ? c : c.toLowerCase())).join('')
}

/** The code points of the text itself, in the decomposed form that Piper uses. */
export function codePointsOf(text: string, { symbols }: VoiceText): string[] {
  const known = [...text.normalize('NFD')].filter(c => c in symbols || IS_CHANGE.test(c))
  if (known.length > 0) return known
  throw new InvalidArgumentError('nothing in the text can be read aloud: the voice knows none of its characters', {
    option: 'text',
  })
}
