import { setImmediate as nextTick } from 'node:timers/promises'
import { toSamples, type Speech } from './audio.js'
import { concat } from './audio/concat.js'
import type { TextCodec } from './codec.js'
import type { Conversation } from './conversation.js'
import type { CtcText, NativeHeard, NativeSession, NativeSpeaking, NativeTimings } from './binding.js'
import {
  abortedBy,
  DisposedError,
  InvalidArgumentError,
  SessionBusyError,
  toMossError,
  UnsupportedError,
} from './errors.js'
import type { ModelInfo } from './model.js'
import * as check from './options.js'
import type { GenerateOptions, SpeakOptions, TranscribeOptions } from './options.js'
import { ReplyStream, type Producer } from './reply.js'
import { ctcWords, type CtcUnit } from './text/ctc.js'
import { unitsToPinyin } from './text/pinyin.js'
import { chunksOf, TextBuilder, untilAborted, watching } from './streaming.js'
import { idsOfUnits, languageOf } from './text/units.js'
import type { Heard, Prompt, Reply, ReplyChunk, Spoken, Transcript } from './turn.js'
import { textThread } from './worker/offload.js'

const LONGEST_TEXT = 100_000
/** Samples that are copied at once: a millisecond or so. */
const HANDED_OVER = 1 << 20
const VOICE_OPTIONS = ['noiseW', 'lengthScale', 'phonemizer'] as const
const SPEAK_OPTIONS = ['voice', 'speed', 'emotion', 'noiseScale', ...VOICE_OPTIONS, 'seed', 'signal'] as const
const GENERATE_OPTIONS = [
  ...SPEAK_OPTIONS,
  'output',
  'temperature',
  'topP',
  'topK',
  'maxTokens',
  'maxSeconds',
  'transcribe',
] as const
const OUTPUTS = ['speech', 'text', 'both'] as const
const PHONEMIZERS = ['auto', 'builtin', 'espeak-ng'] as const

/**
 * A conversation with a {@link Model}: it remembers its turns. It does one thing at a time; a call while another runs is refused with
 * {@link SessionBusyError}. Sessions of one model run side by side.
 */
export class Session {
  readonly #native: NativeSession
  readonly #info: ModelInfo
  readonly #codec: TextCodec | undefined
  readonly #conversation: Conversation | undefined
  readonly #voiceText: string
  readonly #onDispose: () => void
  #running: { ended: Promise<void>; stream: ReplyStream<unknown, unknown> | undefined } | undefined
  #disposal: Promise<void> | undefined

  /** @internal */
  constructor(
    native: NativeSession,
    info: ModelInfo,
    codec: TextCodec | undefined,
    conversation: Conversation | undefined,
    voiceText: string,
    onDispose: () => void,
  ) {
    this.#native = native
    this.#info = info
    this.#codec = codec
    this.#conversation = conversation
    this.#voiceText = voiceText
    this.#onDispose = onDispose
  }

  /**
   * Answers speech or text, with speech, text or both. A finished turn is remembered; one that was stopped or failed is not.
   *
   *     for await (const chunk of session.generate({ speech: 'question.wav' })) play(chunk.audio)
   *     const reply = await session.generate({ text: 'turn on the light' }, { output: 'text' }).result()
   *
   * @throws {@link InvalidArgumentError} at once; the rest by the loop or `result()`: {@link AudioFormatError}, {@link AudioLengthError},
   * {@link FileError}, {@link PromptTooLongError} (`reset()` helps), {@link SessionBusyError}, {@link DisposedError},
   * {@link AbortedError}, {@link UnsupportedError}, {@link OutOfMemoryError}
   */
  generate(prompt: Prompt, options?: GenerateOptions): ReplyStream<ReplyChunk, Reply> {
    const o = check.checkOptions<GenerateOptions>('options', options, GENERATE_OPTIONS)
    const { speech, text } = checkPrompt(prompt)
    const output =
      OUTPUTS[check.checkName('output', o.output, OUTPUTS) ?? -1] ?? (this.#info.sampleRate > 0 ? 'both' : 'text')
    const request = {
      ...this.#checkSpeaking(o),
      output,
      temperature: check.checkNumber('temperature', o.temperature, 0, 2),
      topP: check.checkNumber('topP', o.topP, 0, 1, true),
      topK: check.checkInteger('topK', o.topK, 0, 1_000_000),
      maxTokens: check.checkInteger('maxTokens', o.maxTokens, 1, 1 << 20),
      maxSeconds: check.checkNumber('maxSeconds', o.maxSeconds, 0, 600, true),
      transcribe: check.checkBoolean('transcribe', o.transcribe),
    }
    if (output !== 'text') this.#needDecoder()
    if (speech !== undefined) this.#needEncoder()
    return this.#stream(signal => this.#reply({ speech, text }, request, signal), check.checkSignal(o.signal))
  }

  async *#reply(
    { speech, text }: { speech: Speech | undefined; text: string | undefined },
    request: Omit<Parameters<NativeSession['generate']>[0], 'samples' | 'textIds'>,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, Reply, void> {
    const samples = speech === undefined ? undefined : await toSamples(speech, this.#info.maxInputSeconds, signal)
    const written = text === undefined ? {} : await this.#read(text)
    const builder = new TextBuilder(this.#codec)
    const audio: Float32Array[] = []
    const units: string[] = []
    let heard: Heard | undefined
    let timings: NativeTimings | undefined
    for await (const native of chunksOf(() => this.#native.generate({ ...request, samples, ...written }), signal)) {
      const chunk: ReplyChunk = {}
      if (native.heard) chunk.heard = heard = this.#toHeard(native.heard)
      if (native.heardTextIds && this.#codec && heard) heard.text = await this.#codec.decode(native.heardTextIds)
      if (native.audio) audio.push((chunk.audio = native.audio))
      if (native.units) units.push(...(chunk.units = this.#unitsOf(native.units)))
      const fresh = await builder.add(native.textIds, native.done)
      if (fresh) chunk.text = fresh
      timings = native.timings ?? timings
      if (Object.keys(chunk).length > 0) yield chunk
    }
    if (!timings) throw new Error('the addon ended the reply without timings')
    const spoken = this.#toSpoken(audio, units, builder.text)
    if (text !== undefined) this.#conversation?.remember(text, builder.text)
    return { ...spoken, ...(heard && { heard }), timings }
  }

  /**
   * Writes speech down: the units that the encoder hears and the language model's text of it. An encoder whose units are letters needs no
   * language model: its units are the text, with the words' times; it hears hours, in overlapping windows. The conversation is not changed.
   *
   * @throws as {@link generate}, by rejecting.
   */
  async transcribe(speech: Speech, options?: TranscribeOptions): Promise<Transcript> {
    const o = check.checkOptions<TranscribeOptions>('options', options, ['temperature', 'signal', 'onProgress'])
    const temperature = check.checkNumber('temperature', o.temperature, 0, 2) ?? 0
    const signal = check.checkSignal(o.signal)
    const onProgress = check.checkFunction('onProgress', o.onProgress)
    const toTranscript = this.#textOf()
    this.#needEncoder()
    const cancel = (): void => this.#native.cancel()
    const transcript = this.#exclusive(async (): Promise<Transcript> => {
      const samples = await toSamples(speech, this.#info.maxInputSeconds, signal)
      if (signal?.aborted) throw abortedBy(signal)
      signal?.addEventListener('abort', cancel, { once: true })
      try {
        const total = samples.length / this.#info.inputSampleRate
        const last = await this.#handOver(samples, signal)
        const heard = await watching(
          this.#native.transcribe(last, { temperature }),
          () => this.#native.heardSeconds,
          seconds => onProgress?.({ seconds, total }),
        )
        return await toTranscript(heard)
      } finally {
        signal?.removeEventListener('abort', cancel)
      }
    })
    return untilAborted(transcript, signal)
  }

  /**
   * Reads any English or Mandarin text aloud, sentence by sentence, without the language model; an imported voice reads its own language
   * (docs/voices.md). A chunk whose `text` is set begins that sentence. The conversation is not changed.
   *
   * @throws {@link InvalidArgumentError} at once, or by the loop where nothing in the text can be read; the rest as {@link generate}.
   */
  speak(text: string, options?: SpeakOptions): ReplyStream<ReplyChunk, Spoken> {
    const o = check.checkOptions<SpeakOptions>('options', options, SPEAK_OPTIONS)
    const checked = check.checkText('text', text, LONGEST_TEXT)
    const speaking = this.#checkSpeaking(o)
    const phonemizer = this.#checkPhonemizer(o.phonemizer)
    this.#needDecoder()
    return this.#stream(signal => this.#speak(checked, speaking, phonemizer, signal), check.checkSignal(o.signal))
  }

  async *#speak(
    text: string,
    speaking: NativeSpeaking,
    phonemizer: (typeof PHONEMIZERS)[number],
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, Spoken, void> {
    const audio: Float32Array[] = []
    const units: string[] = []
    for (const sentence of await this.#sentencesOf(text, phonemizer, signal)) {
      let begun = false
      for await (const native of chunksOf(() => this.#native.speakUnits(sentence.ids, speaking), signal)) {
        const chunk: ReplyChunk = begun ? {} : { text: sentence.text }
        if (native.audio) audio.push((chunk.audio = native.audio))
        // An imported voice's ids are not its symbols: there are others between.
        const fresh = sentence.symbols
          ? begun
            ? undefined
            : sentence.symbols
          : native.units && this.#unitsOf(native.units)
        if (fresh) units.push(...(chunk.units = fresh))
        if (Object.keys(chunk).length > 0) yield chunk
        begun = true
      }
    }
    const voice = this.#info.voices[speaking.voice ?? this.#info.defaultVoices.en]
    return { ...this.#toSpoken(audio, units, text), ...(this.#voiceText && voice && { language: voice.language }) }
  }

  /** What is spoken at once: ids for the decoder, or for an imported voice with its symbols. */
  async #sentencesOf(
    text: string,
    phonemizer: (typeof PHONEMIZERS)[number],
    signal: AbortSignal,
  ): Promise<{ text: string; ids: Int32Array; symbols?: string[] }[]> {
    if (this.#voiceText) return textThread.run('textToVoice', { text, voice: this.#voiceText, phonemizer }, { signal })
    const sentences = await textThread.run('textToUnits', { text }, { signal })
    return sentences.map(sentence => ({ text: sentence.text, ids: idsOfUnits(sentence.units, this.#info.units) }))
  }

  /** Rows of the model's context that the conversation takes so far, of `model.info().nCtx`. */
  get length(): number {
    return this.#native.length
  }

  /** Forgets the conversation. @throws {@link SessionBusyError}, {@link DisposedError} */
  reset(): void {
    if (this.#disposal) throw new DisposedError('the session is disposed')
    if (this.#running) throw new SessionBusyError('the session is at work; wait for it or stop it before reset()')
    this.#native.reset()
    this.#conversation?.forget()
  }

  /** Stops what runs and frees the session's memory. Idempotent. */
  dispose(): Promise<void> {
    return (this.#disposal ??= this.#dispose())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  async #dispose(): Promise<void> {
    this.#native.dispose()
    const running = this.#running
    await running?.stream?.stop(new DisposedError('the session was disposed'))
    await running?.ended
    this.#onDispose()
  }

  /** Takes the session for one task; returns what releases it. */
  #begin(stream?: ReplyStream<unknown, unknown>): () => void {
    if (this.#disposal) throw new DisposedError('the session is disposed')
    if (this.#running) {
      throw new SessionBusyError('the session is at work; wait for that, stop it, or create another session')
    }
    let release: () => void = () => undefined
    this.#running = { ended: new Promise(resolve => (release = resolve)), stream }
    return () => {
      this.#running = undefined
      release()
    }
  }

  /** What a disposal interrupts fails as disposed, not as aborted. */
  #explain(thrown: unknown): Error {
    return this.#disposal ? new DisposedError('the session was disposed', {}, { cause: thrown }) : toMossError(thrown)
  }

  async #exclusive<T>(task: () => Promise<T>): Promise<T> {
    const end = this.#begin()
    try {
      return await task()
    } catch (thrown) {
      throw this.#explain(thrown)
    } finally {
      end()
    }
  }

  /** A stream that takes the session when it starts. */
  #stream<C, R>(produce: Producer<C, R>, signal: AbortSignal | undefined): ReplyStream<C, R> {
    const running: Producer<C, R> = s => this.#during(stream, produce(s))
    const stream = new ReplyStream(running, signal)
    return stream
  }

  async *#during<C, R>(stream: ReplyStream<C, R>, task: AsyncGenerator<C, R, void>): AsyncGenerator<C, R, void> {
    const end = this.#begin(stream)
    try {
      return yield* task
    } catch (thrown) {
      throw this.#explain(thrown)
    } finally {
      end()
    }
  }

  #checkSpeaking(o: SpeakOptions): NativeSpeaking {
    const foreign = this.#voiceText ? undefined : VOICE_OPTIONS.find(option => o[option] !== undefined)
    if (foreign) throw new UnsupportedError(`${foreign} is an option of imported voices only`, { option: foreign })
    const voices = this.#info.voices.map(voice => voice.name)
    return {
      voice: check.checkName('voice', o.voice, voices),
      speed: check.checkNumber('speed', o.speed, 0.5, 2),
      emotion: check.checkName('emotion', o.emotion, this.#info.emotions),
      seed: check.checkInteger('seed', o.seed, 0, check.SEED_MAX),
      noiseScale: check.checkNumber('noiseScale', o.noiseScale, 0, 2),
      noiseW: check.checkNumber('noiseW', o.noiseW, 0, 2),
      lengthScale: check.checkNumber('lengthScale', o.lengthScale, 0.1, 10),
    }
  }

  #checkPhonemizer(value: unknown): (typeof PHONEMIZERS)[number] {
    const preset = process.env.MOSS_SPEECH_PHONEMIZER
    const chosen = value ?? (preset === '' ? undefined : preset)
    return PHONEMIZERS[check.checkName('phonemizer', chosen, PHONEMIZERS) ?? 0] ?? 'auto'
  }

  #needDecoder(): void {
    if (this.#info.sampleRate === 0)
      throw new UnsupportedError('this model has no decoder: it cannot speak', { component: 'decoder' })
  }

  #needEncoder(): void {
    if (this.#info.inputSampleRate === 0)
      throw new UnsupportedError('this model has no encoder: it cannot hear', { component: 'encoder' })
  }

  #needCodec(): TextCodec {
    if (!this.#codec)
      throw new UnsupportedError('this model has no language model: it has no text', { component: 'lm' })
    return this.#codec
  }

  /** What the language model reads of the user's text. */
  async #read(text: string): Promise<{ textIds: Int32Array; stopIds?: Int32Array }> {
    if (this.#conversation) return this.#conversation.ask(text)
    const ids = await this.#needCodec().encode(text)
    if (ids.length === 0)
      throw new InvalidArgumentError('the text holds nothing but control tokens', { option: 'text' })
    return { textIds: ids }
  }

  #unitsOf(ids: Int32Array): string[] {
    return Array.from(ids, id => this.#info.units[id] ?? '').filter(unit => unit !== '')
  }

  #heardUnits({ units: ids, starts, ends }: NativeHeard): CtcUnit[] {
    return Array.from(ids, (id, i) => ({
      id,
      unit: this.#info.units[id] ?? '',
      start: roundTime(starts[i]),
      end: roundTime(ends[i]),
    }))
  }

  /** Hands over all but the last samples, and returns these: copying hours at once would hold up the event loop. */
  async #handOver(samples: Float32Array, signal: AbortSignal | undefined): Promise<Float32Array> {
    let start = 0
    for (; samples.length - start > HANDED_OVER; start += HANDED_OVER) {
      this.#native.append(samples.subarray(start, start + HANDED_OVER))
      await nextTick()
      if (signal?.aborted) throw abortedBy(signal)
    }
    return samples.subarray(start)
  }

  /** How what was heard becomes text. */
  #textOf(): (heard: NativeHeard & { textIds: Int32Array }) => Promise<Transcript> | Transcript {
    const codec = this.#codec
    const { ctc } = this.#info
    if (codec) return async heard => ({ text: await codec.decode(heard.textIds), ...this.#toHeard(heard) })
    if (ctc) return heard => this.#toWords(heard, ctc)
    throw new UnsupportedError('this model has no language model, and its units are no letters: it has no text', {
      component: 'lm',
    })
  }

  #toWords(heard: NativeHeard, ctc: CtcText): Transcript {
    const units = this.#heardUnits(heard)
    const words = ctcWords(units, ctc)
    return { text: words.map(w => w.word).join(' '), words, units: units.map(({ id: _, ...unit }) => unit) }
  }

  #toHeard(heard: NativeHeard): Heard {
    const units = this.#heardUnits(heard).map(({ id: _, ...unit }) => unit)
    const symbols = units.map(u => u.unit)
    const language = languageOf(symbols)
    const pinyin = language === 'zh' ? unitsToPinyin(symbols.join('')) : ''
    return { language, units, ...(pinyin && { pinyin }) }
  }

  #toSpoken(chunks: readonly Float32Array[], units: string[], text: string): Omit<Reply, 'heard' | 'timings'> {
    const audio = concat(chunks)
    const { sampleRate } = this.#info
    const seconds = sampleRate > 0 ? audio.length / sampleRate : 0
    const language = units.length > 0 ? languageOf(units) : /\p{Script=Han}/u.test(text) ? 'zh' : 'en'
    return { audio, sampleRate, seconds, text, units, language }
  }
}

/** Milliseconds are exact enough, and print well. */
function roundTime(seconds: number | undefined): number {
  return Math.round((seconds ?? 0) * 1000) / 1000
}

function checkPrompt(prompt: unknown): { speech: Speech | undefined; text: string | undefined } {
  const { speech, text } = (typeof prompt === 'object' && prompt !== null ? prompt : {}) as {
    speech?: Speech
    text?: unknown
  }
  if ((speech === undefined) === (text === undefined)) {
    throw new InvalidArgumentError('the prompt must be { speech } or { text }, one of the two', { option: 'prompt' })
  }
  return { speech, text: text === undefined ? undefined : check.checkText('text', text, LONGEST_TEXT) }
}
