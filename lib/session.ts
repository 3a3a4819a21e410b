import type { Writable } from 'node:stream'
import type { Speech } from './audio.js'
import { SAMPLE_RATE } from './audio/limits.js'
import type { Message } from './engine/conversation.js'
import {
  missing,
  type Answering,
  type Engine,
  type Question,
  type SpeakInput,
  type Speaking,
  type WithoutAudio,
} from './engine/engine.js'
import { DisposedError, InvalidArgumentError, SessionBusyError, toMossError, UnsupportedError } from './errors.js'
import * as check from './options.js'
import type {
  FeaturesOptions,
  GenerateOptions,
  SaveSessionOptions,
  SpeakOptions,
  TranscribeOptions,
} from './options.js'
import { ReplyStream, type Producer } from './reply.js'
import type { Settings } from './saved/format.js'
import { saveSession, type SessionOutput } from './saved/save.js'
import { untilAborted } from './engine/streaming.js'
import { isTextStream, piecesOf } from './engine/text-stream.js'
import { LiveSession } from './live/live-session.js'
import { checkTurns, TURN_OPTIONS, type LiveOptions } from './live/options.js'
import { observed } from './telemetry.js'
import { checkPronunciations, type Pronunciations } from './text/pronunciations.js'
import { parseVoiceText } from './text/voice-text.js'
import type { Phonemizer } from './text/voice.js'
import type { Features, Prompt, Reply, ReplyChunk, SessionInfo, Spoken, TextStream, Transcript } from './turn.js'
import type { ModelInfo, Weights } from './engine/weights.js'
import { onceCollected } from './weak.js'

const LONGEST_TEXT = 100_000
const VOICE_OPTIONS = ['noiseW', 'lengthScale', 'phonemizer'] as const
/** What imported voices cannot do. */
const UNIT_OPTIONS = ['pitch', 'pause'] as const
const SPEAK_OPTIONS = [
  'voice',
  'speed',
  'energy',
  ...UNIT_OPTIONS,
  'emotion',
  'noiseScale',
  ...VOICE_OPTIONS,
  'pronunciations',
  'seed',
  'signal',
] as const
const GENERATE_OPTIONS = [
  ...SPEAK_OPTIONS,
  'output',
  'temperature',
  'topP',
  'topK',
  'maxTokens',
  'maxSeconds',
  'transcribe',
  'vad',
] as const
const OUTPUTS = ['speech', 'text', 'both'] as const
const PHONEMIZERS = ['auto', 'builtin', 'espeak-ng'] as const

/**
 * A conversation with a {@link Model}, which remembers its turns. It does one thing at a time; a call while another one
 * runs is refused with {@link SessionBusyError}. Sessions of one model run side by side.
 *
 * Free its memory (keys and values of the conversation, buffers, a thread) with {@link dispose} or `await using`. For a
 * session that is no longer referenced, the garbage collector frees it, at some later time.
 */
export class Session {
  readonly #engine: Engine
  readonly #info: ModelInfo
  readonly #reading: Reading
  readonly #pronunciations: string
  readonly #weights: Weights
  readonly #settings: Settings
  readonly #onDispose: () => void
  /** What runs is held weakly: it ends when it is not referenced elsewhere any more. */
  #running: { ended: Promise<void>; stream: Pick<WeakRef<Stoppable>, 'deref'> | undefined } | undefined
  #disposal: Promise<void> | undefined

  /** @internal */
  constructor({ engine, weights, settings, onDispose }: SessionParts) {
    const { info, voiceText } = weights
    this.#engine = engine
    this.#weights = weights
    this.#info = info
    this.#settings = settings
    this.#reading = { voiceText, pronunciations: pronunciationsOf(settings.pronunciations, info, voiceText) }
    this.#pronunciations = this.#lexicon(undefined)
    this.#onDispose = onDispose
  }

  /** How the session gets from input to output, what it can do, and how full its context is. */
  info(): SessionInfo {
    const { path, modes, length } = this.#engine
    return { path, modes, length, nCtx: this.#info.nCtx }
  }

  /**
   * Answers speech or text, with speech, text or both. A finished turn is remembered. A turn that was stopped or failed
   * is not, nor one in which nobody speaks: the reply is then empty, and its `finishReason` is `noSpeech`.
   *
   *     for await (const chunk of session.generate({ speech: 'question.wav' })) play(chunk.audio)
   *     const reply = await session.generate({ text: 'turn on the light' }, { output: 'text' }).result()
   *
   * @throws {@link InvalidArgumentError} immediately; the others from the loop or `result()`: {@link AudioFormatError},
   * {@link AudioLengthError}, {@link FileError}, {@link PromptTooLongError}, {@link
   * SessionBusyError}, {@link DisposedError}, {@link AbortedError}, {@link UnsupportedError}, {@link OutOfMemoryError}
   */
  generate(prompt: Prompt, options?: GenerateOptions): ReplyStream<ReplyChunk, Reply> {
    const o = check.checkOptions<GenerateOptions>('options', options, GENERATE_OPTIONS)
    const checked = checkPrompt(prompt)
    const answering = this.#checkAnswering(o)
    if (checked.speech !== undefined) this.#needEncoder()
    return this.#stream(
      signal => observed('generate', this.#answer(checked, answering, signal)),
      check.checkSignal(o.signal),
    )
  }

  /** Answers when all of the user's text has arrived. */
  async *#answer(
    prompt: Prompt,
    answering: Answering,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void> {
    let question: Question
    if (prompt.speech !== undefined) question = prompt
    else if (typeof prompt.text === 'string') question = { text: prompt.text }
    else {
      let text = ''
      for await (const piece of piecesOf(prompt.text, LONGEST_TEXT, signal)) text += piece
      question = { text: check.checkText('text', text, LONGEST_TEXT) }
    }
    return yield* this.#engine.generate(question, answering, signal)
  }

  /**
   * Listens to somebody who speaks, and answers: audio is written while it is recorded, and the events of the {@link LiveSession} tell what
   * was heard and answered. The session is busy until that has ended.
   *
   *     const live = session.listen({ turnDetection: 'auto' })
   *     live.write(samples) // whenever the microphone has some
   *     for await (const event of live) if (event.type === 'audio') play(event.audio)
   *
   * @throws {@link InvalidArgumentError}, {@link UnsupportedError} the model cannot answer speech, {@link SessionBusyError}, {@link
   * DisposedError}; those of {@link generate} end the loop over the events.
   */
  listen(options?: LiveOptions): LiveSession {
    const o = check.checkOptions<LiveOptions>('options', options, [...TURN_OPTIONS, ...GENERATE_OPTIONS])
    const turns = checkTurns(o, this.#info.maxTurnSeconds, this.#info.endpoint, SAMPLE_RATE)
    const answering = { ...this.#checkAnswering(o), vad: false }
    const signal = check.checkSignal(o.signal)
    this.#needEncoder()
    if (!this.#engine.modes.includes('speech-to-text')) throw missing('lm')
    const { sampleRate } = this.#info
    const held: { live?: WeakRef<Stoppable> } = {}
    const release = this.#begin({ deref: () => held.live?.deref() })
    const live = new LiveSession({
      engine: this.#engine,
      answering,
      turns,
      sampleRate,
      detector: () => this.#weights.detector(),
      signal,
      onEnd: () => {
        forget()
        release()
      },
    })
    held.live = new WeakRef(live)
    const forget = onceCollected(live, release)
    return live
  }

  #checkAnswering(o: GenerateOptions): Answering {
    const output =
      OUTPUTS[check.checkName('output', o.output, OUTPUTS) ?? -1] ?? (this.#info.sampleRate > 0 ? 'both' : 'text')
    const answering: Answering = {
      ...this.#checkSpeaking(o),
      output,
      temperature: check.checkNumber('temperature', o.temperature, 0, 2),
      topP: check.checkNumber('topP', o.topP, 0, 1, true),
      topK: check.checkInteger('topK', o.topK, 0, 1_000_000),
      maxTokens: check.checkInteger('maxTokens', o.maxTokens, 1, 1 << 20),
      maxSeconds: check.checkNumber('maxSeconds', o.maxSeconds, 0, 600, true),
      transcribe: check.checkBoolean('transcribe', o.transcribe),
      vad: check.checkBoolean('vad', o.vad),
    }
    if (o.pronunciations !== undefined && this.#engine.path === 'end-to-end') {
      throw new UnsupportedError(
        'pronunciations are for texts that are read aloud, in session.speak(); this model generates its answers as sounds, not from text',
        { option: 'pronunciations' },
      )
    }
    if (output !== 'text') this.#needVoice()
    return answering
  }

  /**
   * Transcribes speech: returns the units that the encoder hears and the language model's text, utterance by utterance.
   * An encoder whose units are letters needs no language model: its units are the text, with the times of the words. It
   * transcribes hours of speech, in overlapping windows. The conversation is not changed.
   *
   * @throws as {@link generate}, by rejecting.
   */
  async transcribe(speech: Speech, options?: TranscribeOptions): Promise<Transcript> {
    const o = check.checkOptions<TranscribeOptions>('options', options, ['temperature', 'vad', 'signal', 'onProgress'])
    const temperature = check.checkNumber('temperature', o.temperature, 0, 2) ?? 0
    const vad = check.checkBoolean('vad', o.vad)
    const onProgress = check.checkFunction('onProgress', o.onProgress)
    return this.#hear(o.signal, signal => this.#engine.transcribe(speech, { temperature, vad, onProgress }, signal))
  }

  /**
   * The encoder's hidden states for speech (`last_hidden_state` in transformers), for classifiers, search and other
   * heads of your own. Imported encoders need no CTC head for this, and process hours of speech in overlapping windows.
   * The conversation is not changed.
   *
   *     const { data, frames, size } = await session.features('talk.mp3') // frame i: data.subarray(i * size, (i + 1) * size)
   *
   * @throws as {@link generate}, by rejecting.
   */
  async features(speech: Speech, options?: FeaturesOptions): Promise<Features> {
    const o = check.checkOptions<FeaturesOptions>('options', options, ['signal'])
    return this.#hear(o.signal, signal => this.#engine.features(speech, signal))
  }

  async #hear<T>(given: unknown, work: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
    const signal = check.checkSignal(given)
    this.#needEncoder()
    return untilAborted(
      this.#exclusive(() => work(signal)),
      signal,
    )
  }

  /**
   * Reads any English or Mandarin text aloud, sentence by sentence, without the language model; an imported voice reads
   * its own language (docs/voices.md). `{ ssml }` is a document with breaks, prosody, phonemes and the like
   * (docs/text.md). A chunk with `text` is the first of that sentence. The conversation is not changed.
   *
   *     session.speak({ ssml: '<speak>Wait <break time="500ms"/> for it.</speak>' })
   *
   * A stream of text, such as the tokens of a language model, is read while it arrives: a sentence as soon as the next one has begun, without
   * Markdown, code and emoji. It is read no further ahead than a few sentences.
   *
   *     session.speak(tokens) // AsyncIterable<string> or Iterable<string>
   *
   * @throws {@link InvalidArgumentError} immediately, or from the loop if nothing in the text can be read or the SSML
   * is malformed (`details.line`, `details.column`); {@link UnsupportedError} from the loop if the voice cannot do what
   * the SSML asks for; the others as {@link generate}.
   */
  speak(text: string | { ssml: string } | TextStream, options?: SpeakOptions): ReplyStream<ReplyChunk, Spoken> {
    const o = check.checkOptions<SpeakOptions>('options', options, SPEAK_OPTIONS)
    const input = checkSpoken(text)
    const speaking = this.#checkSpeaking(o)
    this.#needVoice()
    return this.#stream(
      signal => observed('speak', this.#engine.speak(input, speaking, signal)),
      check.checkSignal(o.signal),
    )
  }

  /** How many of the `model.info().nCtx` positions of the context the conversation takes so far. */
  get length(): number {
    return this.#engine.length
  }

  /**
   * The conversation, as messages: the system prompt if there is one, and the finished turns that the context holds. Turns that were dropped
   * because it was full are not among them.
   */
  history(): Message[] {
    return this.#engine.history()
  }

  /**
   * Saves the conversation, so that {@link Model.loadSession} continues it bit for bit: keys and values of the context, messages, options
   * and random numbers, but not the model. Its size is that of the keys and values. A file gets its name when it is complete; a stream is
   * not ended.
   *
   *     await session.save('conversation.moss')
   *
   * @throws by rejecting: {@link FileError} (`ENOSPC` if the disk is full), also if the model's file has changed since it was loaded;
   * {@link InvalidArgumentError}, {@link SessionBusyError}, {@link DisposedError}, {@link AbortedError}, {@link OutOfMemoryError}
   */
  async save(output: SessionOutput, options?: SaveSessionOptions): Promise<void> {
    const { signal: given } = check.checkOptions<SaveSessionOptions>('options', options, ['signal'])
    const signal = check.checkSignal(given)
    const checked = checkOutput(output)
    await this.#exclusive(async () => {
      const models = await this.#weights.hashes()
      await saveSession({ engine: this.#engine, settings: this.#settings, models }, checked, signal)
    })
  }

  /** Forgets the conversation. @throws {@link SessionBusyError}, {@link DisposedError} */
  reset(): void {
    if (this.#disposal) throw new DisposedError('the session is disposed')
    if (this.#running) throw new SessionBusyError('the session is busy; wait for it or stop it before reset()')
    this.#engine.reset()
  }

  /** Stops the running call and frees the session's memory. Idempotent. */
  dispose(): Promise<void> {
    return (this.#disposal ??= this.#dispose())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  async #dispose(): Promise<void> {
    this.#engine.dispose()
    const running = this.#running
    const stream = running?.stream?.deref()
    await stream?.stop(new DisposedError('the session was disposed'))
    // A reply that has been garbage-collected is ended by a finalizer, which need not be awaited.
    if (stream || !running?.stream) await running?.ended
    this.#onDispose()
  }

  /** Reserves the session for one task. Returns a function that releases it. */
  #begin(stream?: Pick<WeakRef<Stoppable>, 'deref'>): () => void {
    if (this.#disposal) throw new DisposedError('the session is disposed')
    if (this.#running) {
      throw new SessionBusyError('the session is busy; wait for that, stop it, or create another session')
    }
    let release: () => void = () => undefined
    const running = { ended: new Promise<void>(resolve => (release = resolve)), stream }
    this.#running = running
    return () => {
      if (this.#running === running) this.#running = undefined
      release()
    }
  }

  /** A call that dispose() interrupts fails with DisposedError, not AbortedError. */
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

  /** A stream that reserves the session when it starts. */
  #stream<R extends Spoken>(
    produce: Producer<ReplyChunk, R>,
    signal: AbortSignal | undefined,
  ): ReplyStream<ReplyChunk, R> {
    const running: Producer<ReplyChunk, R> = s => this.#during(held, () => produce(s))
    const stream = new ReplyStream(running, signal)
    const held = new WeakRef<ReplyStream<ReplyChunk, Spoken>>(stream)
    return stream
  }

  async *#during<R>(
    stream: WeakRef<ReplyStream<ReplyChunk, Spoken>>,
    task: () => AsyncGenerator<ReplyChunk, R, void>,
  ): AsyncGenerator<ReplyChunk, R, void> {
    const end = this.#begin(stream)
    try {
      return yield* task()
    } catch (thrown) {
      throw this.#explain(thrown)
    } finally {
      end()
    }
  }

  #checkSpeaking(o: SpeakOptions): Speaking {
    const imported = this.#reading.voiceText !== ''
    const foreign = (imported ? UNIT_OPTIONS : VOICE_OPTIONS).find(option => o[option] !== undefined)
    if (foreign) {
      const whose = imported ? 'nano’s voices, not of imported ones' : 'imported voices only'
      throw new UnsupportedError(`${foreign} is an option of ${whose}`, { option: foreign })
    }
    return {
      ...this.#checkVoice(o.voice),
      speed: check.checkNumber('speed', o.speed, 0.5, 2),
      pitch: check.checkNumber('pitch', o.pitch, -12, 12),
      energy: check.checkNumber('energy', o.energy, -20, 20),
      pause: check.checkNumber('pause', o.pause, 0, 4),
      emotion: check.checkName('emotion', o.emotion, this.#info.emotions),
      seed: check.checkInteger('seed', o.seed, 0, check.SEED_MAX),
      noiseScale: check.checkNumber('noiseScale', o.noiseScale, 0, 2),
      noiseW: check.checkNumber('noiseW', o.noiseW, 0, 2),
      lengthScale: check.checkNumber('lengthScale', o.lengthScale, 0.1, 10),
      phonemizer: checkPhonemizer(o.phonemizer),
      pronunciations: o.pronunciations === undefined ? this.#pronunciations : this.#lexicon(o.pronunciations),
    }
  }

  #checkVoice(value: unknown): Pick<Speaking, 'voice' | 'mix'> {
    const imported = this.#reading.voiceText !== ''
    if (imported && typeof value === 'object')
      throw new UnsupportedError('imported voices cannot be mixed', { option: 'voice' })
    return check.checkVoice(value, this.#info.voices.map(voice => voice.name)) // prettier-ignore
  }

  /** The pronunciations of the session and of one call, as JSON. */
  #lexicon(given: unknown): string {
    const { voiceText, pronunciations } = this.#reading
    const words = { ...pronunciations, ...pronunciationsOf(given, this.#info, voiceText) }
    return Object.keys(words).length > 0 ? JSON.stringify(words) : ''
  }

  #needVoice(): void {
    if (this.#info.sampleRate === 0) throw missing('voice')
  }

  #needEncoder(): void {
    if (this.#info.inputSampleRate === 0) throw missing('encoder')
  }
}

/** What a session is made of. @internal */
export interface SessionParts {
  engine: Engine
  weights: Weights
  settings: Settings
  onDispose: () => void
}

/** A reply or a live session. */
interface Stoppable {
  stop(error: Error): Promise<void>
}

/** How the voice of a session reads text. */
interface Reading {
  /** The text rules of an imported voice; '' for nano's. */
  voiceText: string
  pronunciations: Pronunciations
}

/** Checks that pronunciations fit the voice. Undefined becomes an empty lexicon. */
export function pronunciationsOf(given: unknown, info: ModelInfo, voiceText: string): Pronunciations {
  if (given === undefined) return {}
  if (info.sampleRate === 0) throw missing('voice')
  return checkPronunciations(given, voiceText === '' ? undefined : parseVoiceText(voiceText))
}

function checkOutput(output: unknown): string | Writable {
  const path = check.checkPath(output)
  if (path !== undefined) return path
  if (typeof output === 'object' && output !== null && 'write' in output && 'off' in output) return output as Writable
  throw new InvalidArgumentError('output must be the path or file: URL of a file, or a writable stream', {
    option: 'output',
  })
}

function checkSpoken(input: unknown): SpeakInput {
  if (isTextStream(input)) return { pieces: signal => piecesOf(input, LONGEST_TEXT, signal) }
  if (typeof input !== 'object' || input === null) return { text: check.checkText('text', input, LONGEST_TEXT) }
  const { ssml } = check.checkOptions<{ ssml?: unknown }>('text', input, ['ssml'])
  return { ssml: check.checkText('ssml', ssml, LONGEST_TEXT) }
}

function checkPhonemizer(value: unknown): Phonemizer {
  const preset = process.env.MOSS_SPEECH_PHONEMIZER
  const chosen = value ?? (preset === '' ? undefined : preset)
  const option = value === undefined ? 'MOSS_SPEECH_PHONEMIZER' : 'phonemizer'
  return PHONEMIZERS[check.checkName(option, chosen, PHONEMIZERS) ?? 0] ?? 'auto'
}

function checkPrompt(prompt: unknown): Prompt {
  const { speech, text } = (typeof prompt === 'object' && prompt !== null ? prompt : {}) as {
    speech?: Speech
    text?: unknown
  }
  if ((speech === undefined) === (text === undefined)) {
    throw new InvalidArgumentError('the prompt must be either { speech } or { text }', { option: 'prompt' })
  }
  if (speech !== undefined) return { speech }
  return { text: isTextStream(text) ? text : check.checkText('text', text, LONGEST_TEXT) }
}
