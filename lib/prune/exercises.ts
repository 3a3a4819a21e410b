import type { NativeExercise, NativeModel, NativeModelInfo, NativeRequest, NativeSession } from '../binding.js'
import { concat } from '../audio/concat.js'
import { SAMPLE_RATE } from '../audio/limits.js'
import { resample } from '../audio/resample.js'
import { InvalidArgumentError } from '../errors.js'
import { loadChat, plainText } from '../text/chat.js'
import { textToUnits } from '../text/frontend.js'
import { encodeText, loadTokenizer } from '../text/tokenizer.js'
import { isTone, plainScript } from '../text/speech.js'
import { idsOfUnits, languageOf } from '../text/units.js'
import type { CalibrationSource } from './calibration.js'
import type { PrunableComponent } from './heads.js'

/** The number of ids of a text in one piece for an imported language model. */
const PIECE_IDS = 256
/** The longest text of a turn. */
const LONGEST_LINE = 400
const LONGEST_REPLY = { maxTokens: 96, maxSeconds: 15 }
const FEWEST_IDS = 8
/** The key of the only tokenizer in the conversion thread. */
const KEY = 0

/** Which half of the pieces to use: contributions are measured on one half, the loss of quality on the other. */
export type Half = 'measured' | 'held-out'

/** Reports the progress of {@link Exercises} through its sources. */
export type OnSource = (done: number, total: number, name: string) => void

/** Makes inputs for a network from a calibration set. To be used in the conversion thread. */
export class Exercises {
  /** The number of pieces so far, of both halves. */
  pieces = 0
  readonly #info: NativeModelInfo
  readonly #imported: boolean

  constructor(
    private readonly model: NativeModel,
    private readonly path: string,
    private readonly component: PrunableComponent,
    private readonly sources: readonly CalibrationSource[],
  ) {
    this.#info = model.info()
    this.#imported = this.#info.architecture !== 'moss-speech'
    const kinds = this.#kinds()
    if (!sources.some(({ kind }) => kinds.includes(kind))) {
      const wanted = kinds.map(kind => ({ audio: 'recordings', text: 'texts (.txt)' })[kind]).join(' or ')
      throw new InvalidArgumentError(`calibrate: the ${component} of this model is measured on ${wanted}`, {
        option: 'calibrate',
        component,
      })
    }
  }

  /** The kinds of input that the network takes. A bundle with a voice reads texts aloud for its own encoder. */
  #kinds(): ('audio' | 'text')[] {
    if (this.component === 'lm') return this.#imported ? ['text'] : this.#hears() ? ['audio', 'text'] : ['text']
    return this.#info.sampleRate > 0 && this.#info.voices.length > 0 ? ['audio', 'text'] : ['audio']
  }

  /** Whether the input of a turn may be speech. */
  #hears(): boolean {
    return this.#info.components.some(({ name }) => name === 'aligner')
  }

  /** The exercises in order. Equal calls give equal exercises. */
  async *of(half: Half, onSource: OnSource): AsyncGenerator<NativeExercise, void, void> {
    this.pieces = 0
    const kinds = this.#kinds()
    const sources = this.sources.filter(({ kind }) => kinds.includes(kind))
    for (const [i, source] of sources.entries()) {
      onSource(i, sources.length, source.name)
      for (const make of await this.#divide(source)) {
        if (this.pieces++ % 2 === (half === 'measured' ? 0 : 1)) yield make()
      }
    }
    onSource(sources.length, sources.length, '')
  }

  /** The pieces of a source, as functions that make them on demand. */
  async #divide(source: CalibrationSource): Promise<(() => Promise<NativeExercise>)[]> {
    const content = await source.read()
    if (typeof content !== 'string') {
      return content.map(
        samples => () => (this.component === 'encoder' ? Promise.resolve({ samples }) : this.#answer({ samples })),
      )
    }
    if (this.#imported) return this.#idPieces(content).map(textIds => () => Promise.resolve({ textIds }))
    const lines = content.split('\n').map(line => line.trim().slice(0, LONGEST_LINE))
    const number = this.pieces
    return lines.filter(Boolean).map((line, i) => async () => {
      if (this.component === 'encoder') return { samples: await this.#read(line, number + i) }
      return this.#answer({ textIds: this.#tokenize(line) })
    })
  }

  #idPieces(text: string): Int32Array[] {
    if (!this.#tokenized) loadChat(KEY, this.path)
    this.#tokenized = true
    const ids = plainText(KEY, text)
    const starts = Array.from({ length: Math.ceil(ids.length / PIECE_IDS) }, (_, i) => i * PIECE_IDS)
    const length = Math.min(PIECE_IDS, this.#info.maxNCtx)
    return starts.map(start => ids.slice(start, start + length)).filter(piece => piece.length >= FEWEST_IDS)
  }

  #tokenized = false

  #tokenize(text: string): Int32Array {
    if (!this.#tokenized) loadTokenizer(KEY, this.#info.tokenizer)
    this.#tokenized = true
    return encodeText(KEY, text)
  }

  /** Reads a line aloud in one of the model's voices, in rotation. */
  async #read(text: string, number: number): Promise<Float32Array> {
    const { voices, units, sampleRate } = this.#info
    const parts: Float32Array[] = []
    for (const sentence of await textToUnits(plainScript(text))) {
      if (isTone(sentence)) continue
      const language = languageOf(sentence.symbols)
      const fitting = [...voices.keys()].filter(i => voices[i]?.language === language)
      const voice = fitting[(number >> 2) % Math.max(1, fitting.length)] ?? -1 // any four consecutive sentences have both languages
      const ids = idsOfUnits(sentence.symbols.join(''), units)
      const { audio } = await this.#run(session => session.speakUnits(ids, { voice, seed: number }))
      parts.push(...audio)
    }
    return resample(concat(parts), sampleRate, SAMPLE_RATE)
  }

  /** Lets the unchanged model answer, to get a whole turn. */
  async #answer(question: Pick<NativeRequest, 'samples' | 'textIds'>): Promise<NativeExercise> {
    const output = this.#info.sampleRate > 0 ? 'both' : 'text'
    const request: NativeRequest = { ...question, output, temperature: 0, seed: 1, ...LONGEST_REPLY }
    const { units, textIds } = await this.#run(session => session.generate(request))
    return { ...question, units: Int32Array.from(units), replyIds: Int32Array.from(textIds) }
  }

  async #run(start: (session: NativeSession) => ReturnType<NativeSession['generate']>) {
    const session = this.model.createSession({ seed: 1 })
    const all = { audio: [] as Float32Array[], units: [] as number[], textIds: [] as number[] }
    try {
      const stream = start(session)
      for (let done = false; !done;) {
        const chunk = await stream.next()
        if (chunk.audio) all.audio.push(chunk.audio)
        all.units.push(...(chunk.units ?? []))
        all.textIds.push(...(chunk.textIds ?? []))
        done = chunk.done
      }
      return all
    } finally {
      session.dispose()
    }
  }
}
