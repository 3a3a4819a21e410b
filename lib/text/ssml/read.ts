import { SaxesParser, type SaxesTagPlain } from 'saxes'
import { InvalidArgumentError, MossSpeechError, UnsupportedError } from '../../errors.js'
import { englishWords } from '../english/normalize.js'
import { mandarinNumbers } from '../mandarin/numbers.js'
import { withoutMarks, type Alphabet, type FixedWord, type Marks, type Prosody } from '../marks.js'
import { sayAs } from './say-as.js'
import { EMPHASES, pitch, rate, seconds, strength, volume } from './values.js'

/* SSML → a sequence of texts with marks (marks.ts), silences, and tones that cover words. */

export type ScriptPart =
  /** `voice` is the index of a voice of the model. */
  | { kind: 'text'; text: string; voice?: number }
  /** `frequency` 0 is silence. */
  | { kind: 'tone'; seconds: number; frequency: number }

/** What SSML may use of the voice that speaks it. */
export interface SsmlVoice {
  voices: readonly { name: string; language: string }[]
  /** Whether the pitch can be changed. */
  hasPitch: boolean
  /** Throws if the voice lacks a symbol of a word. */
  check: (word: FixedWord) => void
}

const BLEEP = { seconds: 0.4, frequency: 1000 }
const BETWEEN_PARAGRAPHS = 0.5 // seconds
/** Elements whose content is not spoken. */
const SILENT = new Set(['metadata', 'meta', 'lexicon', 'desc'])
/** Elements that end a sentence. */
const BLOCKS = new Set(['p', 's', 'paragraph', 'sentence'])
const DEEPEST = 100

/** The settings inside an element. */
interface Scope {
  name: string
  prosody: Prosody
  voice: number | undefined
  language: 'en' | 'zh' | undefined
  /** Set if the element interprets the text in it. */
  taken?: { kind: 'say-as' | 'sub' | 'phoneme' | 'silent'; attributes: Record<string, string>; text: string }
}

class Reader {
  readonly parts: ScriptPart[] = []
  readonly #parser = new SaxesParser()
  readonly #scopes: Scope[] = []
  #text = ''
  #textVoice: number | undefined
  /** The language of the document, in which numbers are read unless an element says otherwise. */
  readonly #mostly: 'en' | 'zh'
  #change: Prosody
  /** Whether a paragraph has ended; it becomes a pause if something follows. */
  #paragraph = false

  constructor(
    private readonly ssml: string,
    private readonly marks: Marks,
    private readonly voice: SsmlVoice,
    private readonly lookUp: (text: string) => string,
  ) {
    this.#mostly = /\p{Script=Han}/u.test(ssml.replace(/<[^>]*>/g, '')) ? 'zh' : 'en'
    this.#change = { speed: 1, pitch: 0, gain: 1 }
  }

  read(): ScriptPart[] {
    const parser = this.#parser
    parser.on('error', error => this.#fail(error.message.replace(/^(?:file:)?\d+:\d+: /, '')))
    parser.on('opentag', tag => this.#open(tag))
    parser.on('closetag', () => this.#close())
    parser.on('text', text => this.#say(text))
    parser.on('cdata', text => this.#say(text))
    parser.write(this.ssml).close()
    this.#flush()
    return this.parts
  }

  #fail(what: string, details: object = {}): never {
    const { line, column } = this.#parser
    throw new InvalidArgumentError(`ssml, line ${line}, column ${column}: ${what}`, {
      option: 'ssml',
      line,
      column,
      ...details,
    })
  }

  #lacks(what: string): never {
    const { line, column } = this.#parser
    throw new UnsupportedError(`ssml, line ${line}, column ${column}: ${what}`, { component: 'ssml', line, column })
  }

  get #scope(): Scope {
    return (
      this.#scopes.at(-1) ?? {
        name: '',
        prosody: { speed: 1, pitch: 0, gain: 1 },
        voice: undefined,
        language: undefined,
      }
    )
  }

  #open({ name: whole, attributes }: SaxesTagPlain): void {
    const name = whole.replace(/^.*:/, '').toLowerCase()
    if (this.#scopes.length === 0 && name !== 'speak') this.#fail(`the document must be a <speak>, not a <${whole}>`)
    if (this.#scopes.length === DEEPEST) this.#fail(`elements are nested more than ${DEEPEST} deep`)
    const outer = this.#scope
    const scope: Scope = {
      name,
      prosody: outer.prosody,
      voice: outer.voice,
      language: languageOf(attributes['xml:lang']) ?? outer.language,
    }
    this.#scopes.push(scope)
    if (outer.taken) {
      scope.taken = outer.taken
      return
    }
    if (BLOCKS.has(name)) this.#block(name)
    else if (name === 'break') this.#break(attributes)
    else if (name === 'prosody') scope.prosody = this.#prosody(attributes, outer.prosody)
    else if (name === 'emphasis') scope.prosody = this.#emphasis(attributes, outer.prosody)
    else if (name === 'voice') scope.voice = this.#voiceOf(attributes) ?? outer.voice
    else if (name === 'say-as' || name === 'sub' || name === 'phoneme')
      scope.taken = { kind: name, attributes, text: '' }
    else if (SILENT.has(name)) scope.taken = { kind: 'silent', attributes, text: '' }
    if (name === 'say-as' && !attributes['interpret-as']) this.#fail('<say-as> needs interpret-as')
    if (name === 'sub' && attributes.alias === undefined) this.#fail('<sub> needs alias')
    if (name === 'phoneme' && !attributes.ph) this.#fail('<phoneme> needs ph')
  }

  #close(): void {
    const scope = this.#scopes.pop()
    const { taken, name } = scope ?? {}
    if (taken && this.#scope.taken !== taken) this.#finish(taken, scope?.language)
    else if (name !== undefined && BLOCKS.has(name) && !taken) this.#block(name)
  }

  #finish({ kind, attributes, text }: NonNullable<Scope['taken']>, language: 'en' | 'zh' | undefined): void {
    const inner = language ?? this.#mostly
    if (kind === 'sub') this.#append(withoutMarks(attributes.alias ?? ''))
    else if (kind === 'phoneme') this.#phoneme(attributes, text.trim())
    else if (kind === 'say-as') {
      const as = attributes['interpret-as'] ?? ''
      if (/^(?:expletive|bleep)$/i.test(as)) this.#tone(BLEEP.seconds, BLEEP.frequency)
      else this.#append(sayAs(text, as, attributes.format, inner))
    }
  }

  /** Handles text of the document. Line breaks belong to the layout of the XML and do not end a sentence. */
  #say(text: string): void {
    const plain = withoutMarks(text).replace(/\s+/g, ' ')
    const { taken } = this.#scope
    if (taken) taken.text += plain
    else this.#append(this.#numbers(this.lookUp(plain)))
  }

  /** Spells out numbers in the language that an element names. */
  #numbers(text: string): string {
    const { language } = this.#scope
    if (language === undefined || language === this.#mostly || !/\d/.test(text)) return text
    if (language === 'zh') return mandarinNumbers(text)
    return /\p{Script=Han}/u.test(text) ? text : englishWords(text)
  }

  /** Appends spoken text. The mark for a change of the prosody is put before the first word to which it applies. */
  #append(text: string): void {
    if (text.trim() === '') {
      this.#text += text
      return
    }
    const { prosody, voice } = this.#scope
    if (voice !== this.#textVoice) {
      this.#flush()
      this.#textVoice = voice
    }
    if (
      prosody.speed !== this.#change.speed ||
      prosody.pitch !== this.#change.pitch ||
      prosody.gain !== this.#change.gain
    ) {
      this.#change = prosody
      const start = text.length - text.trimStart().length
      this.#text += text.slice(0, start) + this.marks.change(prosody) + text.slice(start)
    } else this.#text += text
  }

  #flush(): void {
    if (this.#text.trim() !== '') {
      this.#separate()
      const voice = this.#textVoice === undefined ? {} : { voice: this.#textVoice }
      this.parts.push({ kind: 'text', text: this.#text, ...voice })
    }
    this.#text = ''
  }

  #tone(length: number, frequency: number): void {
    this.#flush()
    this.#separate()
    this.parts.push({ kind: 'tone', seconds: length, frequency })
  }

  #separate(): void {
    if (this.#paragraph) this.parts.push({ kind: 'tone', seconds: BETWEEN_PARAGRAPHS, frequency: 0 })
    this.#paragraph = false
  }

  /** A sentence or a paragraph begins or ends. */
  #block(name: string): void {
    this.#flush()
    if (name.startsWith('p') && this.parts.length > 0) this.#paragraph = true
  }

  #break({ time, strength: strong }: Record<string, string>): void {
    const found = time !== undefined ? seconds(time) : strong !== undefined ? strength(strong) : strength('medium')
    if (found === undefined) {
      const [attribute, value] = time !== undefined ? ['time', time] : ['strength', strong]
      this.#fail(
        `<break ${attribute}="${value}">: a time is 0s to 60s, such as 500ms or 1.5s; a strength is none, x-weak, weak, medium, strong or x-strong`,
      )
    }
    if (found > 0) this.#tone(found, 0)
  }

  #prosody(attributes: Record<string, string>, outer: Prosody): Prosody {
    const inner = { ...outer }
    const read = (name: string, parse: (value: string) => number | undefined, allowed: string): number | undefined => {
      const value = attributes[name]
      if (value === undefined) return undefined
      return parse(value) ?? this.#fail(`<prosody ${name}="${value}">: ${allowed}`)
    }
    const speed = read('rate', rate, 'a rate is x-slow, slow, medium, fast, x-fast, or 25% to 400%')
    const higher = read(
      'pitch',
      pitch,
      'a pitch is x-low, low, medium, high, x-high, or up to 12 semitones such as +2st or -10%',
    )
    const gain = read(
      'volume',
      volume,
      'a volume is silent, x-soft, soft, medium, loud, x-loud, or -6dB, +3dB, or 0 to 100',
    )
    for (const name of ['contour', 'range', 'duration'])
      if (attributes[name] !== undefined) this.#lacks(`<prosody ${name}> is not supported; rate, pitch and volume are`)
    if (higher !== undefined && higher !== 0 && !this.voice.hasPitch)
      this.#lacks('<prosody pitch>: an imported voice cannot speak higher or lower; rate and volume it can change')
    inner.speed *= speed ?? 1
    inner.pitch += higher ?? 0
    inner.gain *= gain ?? 1
    if (inner.speed < 0.25 || inner.speed > 4)
      this.#fail('the rates of nested elements come to less than 25% or more than 400%')
    if (Math.abs(inner.pitch) > 12) this.#fail('the pitches of nested elements come to more than 12 semitones')
    return { ...inner, gain: Math.min(inner.gain, 10) }
  }

  #emphasis({ level = 'moderate' }: Record<string, string>, outer: Prosody): Prosody {
    const found = Object.hasOwn(EMPHASES, level) ? EMPHASES[level] : undefined
    if (!found) return this.#fail(`<emphasis level="${level}">: a level is strong, moderate, none or reduced`)
    const higher = outer.pitch + (this.voice.hasPitch ? found.pitch : 0)
    const speed = Math.min(4, Math.max(0.25, outer.speed * found.speed))
    return { speed, pitch: Math.min(12, Math.max(-12, higher)), gain: Math.min(10, outer.gain * found.gain) }
  }

  /**
   * Chooses a voice by name, otherwise by language. Gender, age and the like are ignored, because they are not known of
   * voices.
   */
  #voiceOf(attributes: Record<string, string>): number | undefined {
    const { voices } = this.voice
    const names = (attributes.name ?? '').split(/[\s,]+/).filter(name => name !== '')
    for (const name of names) {
      const found = voices.findIndex(voice => voice.name === name)
      if (found >= 0) return found
    }
    if (names.length > 0)
      this.#fail(
        `<voice name="${attributes.name}">: there is no such voice; there are ${voices.map(v => v.name).join(', ')}`,
        { expected: voices.map(v => v.name) },
      )
    const wanted = (attributes['xml:lang'] ?? attributes.language ?? attributes.languages)?.toLowerCase().slice(0, 2)
    const found = wanted === undefined ? -1 : voices.findIndex(voice => voice.language.toLowerCase().startsWith(wanted))
    return found >= 0 ? found : undefined
  }

  #phoneme({ ph = '', alphabet = 'ipa' }: Record<string, string>, text: string): void {
    const kind: Alphabet | undefined = /pinyin/i.test(alphabet) ? 'pinyin' : /^ipa$/i.test(alphabet) ? 'ipa' : undefined
    if (!kind) this.#fail(`<phoneme alphabet="${alphabet}">: the alphabets are ipa and pinyin`)
    const word: FixedWord = { text: text === '' ? ph : text, alphabet: kind, phonemes: ph }
    try {
      this.voice.check(word)
    } catch (thrown) {
      if (thrown instanceof UnsupportedError) this.#lacks(thrown.message)
      if (thrown instanceof MossSpeechError) this.#fail(thrown.message, { symbol: thrown.details.symbol })
      throw thrown
    }
    this.#append(this.marks.fix(word))
  }
}

function languageOf(tag: string | undefined): 'en' | 'zh' | undefined {
  if (tag === undefined) return undefined
  if (/^(?:zh|cmn)/i.test(tag)) return 'zh'
  return /^en/i.test(tag) ? 'en' : undefined
}

/**
 * Reads an SSML document.
 *
 * @param lookUp - replaces the words of the user's lexicon by marks
 * @throws {@link InvalidArgumentError} the SSML is malformed, or an attribute has an invalid value; names line and
 * column; {@link UnsupportedError} the voice cannot do what it asks for
 */
export function readSsml(ssml: string, marks: Marks, voice: SsmlVoice, lookUp: (text: string) => string): ScriptPart[] {
  return new Reader(ssml, marks, voice, lookUp).read()
}
