import { setImmediate as nextTick } from 'node:timers/promises'
import { toSamples, type Samples, type Speech } from '../audio.js'
import { join } from '../audio/concat.js'
import { COPIED_AT_ONCE, MIN_SECONDS } from '../audio/limits.js'
import type {
  FinishReason,
  NativeHeard,
  NativeLayout,
  NativeRequest,
  NativeSegment,
  NativeSession,
  NativeSnapshot,
  NativeStream,
  NativeTimings,
} from '../binding.js'
import {
  AbortedError,
  abortedBy,
  AudioLengthError,
  InvalidArgumentError,
  PromptTooLongError,
  toMossError,
  UnsupportedError,
} from '../errors.js'
import type { Features, Heard, Reply, ReplyChunk, SessionInfo, Spoken, Transcript } from '../turn.js'
import { follow } from '../weak.js'
import type { ChatPrompt } from './chat-prompt.js'
import type { TextCodec } from './codec.js'
import { Channel } from './concurrent.js'
import { Conversation, type Message, type Turn } from './conversation.js'
import {
  missing,
  modesOf,
  type Answering,
  type Engine,
  type FedTurn,
  type Listening,
  type Question,
  type SavedPart,
  type Speaking,
  type SpeakInput,
  type SpokenInput,
  type WithoutAudio,
} from './engine.js'
import { heardSounds, heardWords, joined, roundTime } from './heard.js'
import { pastTurn } from './past-turn.js'
import { PlayedUnits } from './played-units.js'
import { ReplyBuilder } from './reply-builder.js'
import {
  isTone,
  nothingToSay,
  sentencesOf,
  toneSamples,
  writtenOf,
  type Sentence,
  type SpeakingFile,
  type Tone,
} from './speaking.js'
import { chunksOf, measured, TextBuilder, untilAborted, watching } from './streaming.js'
import { SENTENCES_AHEAD, sendSentences } from './text-stream.js'
import { hasNetwork, type ModelInfo } from './weights.js'

/** A loaded file whose networks an engine runs. */
export interface LoadedFile extends SpeakingFile {
  readonly codec: TextCodec | undefined
}

/** The options of a turn that the addon takes. */
function requestOf({ phonemizer: _, pronunciations: __, ...request }: Answering): NativeRequest {
  return request
}

/** How an engine keeps its conversation. */
export interface Remembering {
  /** Only of an imported language model. */
  chat: ChatPrompt | undefined
  /** Whether old turns make room for new ones when the context is full. */
  slides: boolean
  /** Turns that took place elsewhere. */
  history: readonly Turn[]
}

/** A turn that takes place. */
interface Current {
  user: Message
  /** The text of the reply so far. */
  text: string
  /** Whether the conversation holds the turn. */
  remembered: boolean
  /** How many turns had been dropped before this one. */
  droppedBefore: number
}

/** Runs the networks of one file. */
export class PartEngine implements Engine, SavedPart {
  readonly #file: LoadedFile
  readonly info: ModelInfo
  readonly #native: NativeSession
  readonly #chat: ChatPrompt | undefined
  readonly #slides: boolean
  readonly #conversation: Conversation
  /** Stands for the turn that was begun last. It is not the turn itself, which would keep a forgotten live session alive. */
  #fed: object | undefined
  /** Whether the context of a bundle's session holds the conversation. The turns of the option `history` are prefilled when first needed. */
  #recalled: boolean
  /** Turns dropped by the native session, as far as the conversation has followed. */
  #followed = 0
  /** Turns of an imported language model that were dropped. */
  #dropped = 0

  constructor(file: LoadedFile, native: NativeSession, { chat, slides, history }: Remembering) {
    this.#file = file
    this.info = file.info
    this.#native = native
    this.#chat = chat
    this.#slides = slides
    this.#conversation = new Conversation(history)
    this.#recalled = chat !== undefined || history.length === 0
  }

  get path(): SessionInfo['path'] {
    const { info } = this.#file
    if (hasNetwork(info, 'lm')) return this.#chat ? 'lm' : 'end-to-end'
    return info.inputSampleRate > 0 ? 'encoder' : 'voice'
  }

  get modes(): SessionInfo['modes'] {
    const [answers, hears] = [hasNetwork(this.info, 'lm'), hasNetwork(this.info, 'aligner')]
    return modesOf({ answers, hears, speaks: this.info.sampleRate > 0 })
  }

  get parts(): Readonly<Record<string, PartEngine>> {
    return { model: this }
  }

  get length(): number {
    return this.#native.length
  }

  /** How many turns were dropped so far because the context was full. */
  get dropped(): number {
    return this.#dropped + this.#native.droppedTurns
  }

  get turns(): readonly Turn[] {
    this.#follow()
    return this.#conversation.turns
  }

  history(): Message[] {
    return [...(this.#chat?.systemMessages ?? []), ...this.turns.flatMap(({ user, assistant }) => [user, assistant])]
  }

  // --- answering

  async *generate(
    { speech, text }: Question,
    answering: Answering,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void> {
    this.#needCodec() // before the speech is read
    const request = requestOf(answering)
    const { samples, warning } = speech === undefined ? {} : await this.listen(speech, signal, request.vad)
    const current = this.#begin(text)
    await this.#recall(signal)
    const last = samples && (await this.#handOver(samples, signal))
    if (!this.#chat || text === undefined) {
      const written = text === undefined ? {} : { textIds: await this.#read(text) }
      const start = (): NativeStream => this.#native.generate({ ...request, samples: last, ...written })
      return yield* this.#answer(start, { current, warning }, signal)
    }
    const { turns } = this.#conversation
    for (;;) {
      const asked = {
        ...(await this.#chat.ask(this.#conversation.turns, text)),
        shortened: this.dropped > current.droppedBefore,
      }
      try {
        return yield* this.#answer(() => this.#native.generate({ ...request, ...asked }), { current }, signal)
      } catch (thrown) {
        // It is thrown before the first chunk.
        if (!(toMossError(thrown) instanceof PromptTooLongError)) throw thrown
        if (this.#slides && this.#conversation.turns.length > 0) this.#drop()
        else {
          this.#conversation.turns = turns
          this.#dropped = current.droppedBefore
          throw thrown
        }
      }
    }
  }

  async begin(answering: Answering, signal: AbortSignal): Promise<FedTurn> {
    const native = this.#native
    const codec = this.#needCodec()
    let stream: NativeStream | undefined
    let stopped = false
    const mine = {}
    const played = new PlayedUnits(this.info.units)
    if (!this.modes.includes('speech-to-text')) throw missing(hasNetwork(this.info, 'lm') ? 'encoder' : 'lm')
    const current = this.#begin()
    const turn: FedTurn = {
      feed: samples => hearing(() => native.feed(samples)),
      completeness: () => hearing(() => native.completeness()),
      finish: () => this.#answer(() => (underWay(), (stream = native.finish())), { current, played }, signal),
      stop: () => {
        stopped = true
        stream?.stop()
      },
      shorten: async seconds => {
        if (!stream) turn.abandon() // stopped before the reply was begun
        if (!stream) return { all: false, text: '' }
        const { wholeText } = played
        if (answering.output === 'text') {
          if (wholeText !== undefined) return { all: true, text: '' }
          await native.shorten(0)
          this.#keep(current, this.#message(current.text, []))
          return { all: true, text: '' }
        }
        const count = played.until(seconds)
        if (wholeText !== undefined && count === played.count) return { all: true, text: wholeText }
        // There may be no text yet, or it was not asked for. The language model then writes one, of which the words that were played are kept.
        const written = count > 0 && wholeText ? wholeText : await codec.decode(await native.shorten(count))
        const text = played.wordsOf(written, count)
        if (count > 0) await native.shorten(count, await codec.encode(text))
        this.#keep(current, count > 0 ? this.#message(text, played.first(count)) : undefined)
        return { all: false, text }
      },
      abandon: () => {
        if (this.#fed === mine) native.abandon()
      },
    }
    const underWay = (): void => {
      if (stopped) throw new AbortedError()
      if (this.#fed !== mine)
        throw new InvalidArgumentError('another turn has begun since this one', { option: 'turn' })
    }
    const hearing = async <T>(work: () => Promise<T>): Promise<T> => {
      underWay()
      try {
        return await this.#cancellable(signal, work)
      } catch (thrown) {
        turn.abandon()
        throw thrown
      }
    }
    this.#fed = mine
    await this.#recall(signal)
    await hearing(() => native.begin(requestOf(answering)))
    return turn
  }

  /**
   * @param start - starts the native reply
   * @param warning - about the recording
   * @param played - collects the units and the text of a reply that may be shortened
   */
  async *#answer(
    start: () => NativeStream,
    { current, warning, played }: { current: Current; warning?: string | undefined; played?: PlayedUnits },
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void> {
    const codec = this.#needCodec()
    const builder = new TextBuilder(codec)
    const reply = new ReplyBuilder(this.info.sampleRate)
    let sounds: NativeHeard | undefined
    let heard: Heard | undefined
    let timings: NativeTimings | undefined
    let finishReason: FinishReason = 'stop'
    for await (const native of chunksOf(start, signal)) {
      const chunk: ReplyChunk = {}
      if (native.heard) {
        heard = { ...heardSounds((sounds = native.heard), this.info), ...(warning && { warning }) }
        chunk.heard = heard
        current.user = { role: 'user', units: heard.units.map(({ unit }) => unit) }
      }
      if (native.heardTextIds && sounds && heard) {
        const text = await codec.decode(native.heardTextIds)
        Object.assign(heard, { text, ...heardSounds(sounds, this.info, text) })
        current.user = { ...current.user, text }
      }
      if (native.audio) chunk.audio = native.audio
      if (native.units) chunk.units = this.#unitsOf(native.units)
      const fresh = await builder.add(native.textIds, native.done)
      if (fresh) chunk.text = fresh
      current.text = builder.text
      if (native.finishReason) chunk.finishReason = finishReason = native.finishReason
      timings = native.timings ?? timings
      reply.add(chunk)
      played?.add(native)
      if (native.done && finishReason !== 'noSpeech') this.#keep(current, this.#message(builder.text, reply.units))
      if (Object.keys(chunk).length > 0) yield chunk
    }
    if (!timings) throw new Error('the addon ended the reply without timings')
    if (played) played.wholeText = builder.text
    const dropped = this.dropped - current.droppedBefore
    return {
      ...reply.finish(builder.text, finishReason),
      ...(heard && { heard }),
      ...(dropped > 0 && { dropped }),
      timings,
    }
  }

  /** Tokenizes a text of the user. */
  async #read(text: string): Promise<Int32Array> {
    const ids = await this.#needCodec().encode(text)
    if (ids.length === 0) throw new InvalidArgumentError('the text consists of control tokens only', { option: 'text' })
    return ids
  }

  #needCodec(): TextCodec {
    const { codec } = this.#file
    if (!codec) throw missing('lm')
    return codec
  }

  // --- the conversation

  #begin(text?: string): Current {
    const user: Message = { role: 'user', ...(text !== undefined && { text }) }
    return { user, text: '', remembered: false, droppedBefore: this.dropped }
  }

  #message(text: string, units: readonly string[]): Message {
    return { role: 'assistant', ...((text || this.#chat) && { text }), ...(!this.#chat && { units }) }
  }

  /** The turn has this reply now; if it is undefined, there is no such turn. */
  #keep(current: Current, assistant: Message | undefined): void {
    this.#follow()
    if (current.remembered) this.#conversation.undo()
    current.remembered = assistant !== undefined
    if (assistant) this.#conversation.add({ user: current.user, assistant })
  }

  /** Drops the turns that the native session has dropped. */
  #follow(): void {
    const { droppedTurns } = this.#native
    this.#conversation.drop(droppedTurns - this.#followed)
    this.#followed = droppedTurns
  }

  /** Drops the oldest turn of an imported language model. */
  #drop(): void {
    this.#conversation.drop(1)
    this.#dropped++
  }

  /** Prefills the context of a bundle with the turns of the option `history`. */
  async #recall(signal: AbortSignal | undefined): Promise<void> {
    if (this.#recalled) return
    const { turns } = this
    try {
      for (const turn of turns) {
        const past = await pastTurn(turn, this.#needCodec(), this.#file, signal)
        if (signal?.aborted) throw abortedBy(signal)
        await this.#native.recall(past)
      }
      this.#recalled = true
    } catch (thrown) {
      this.reset() // the next call begins anew
      this.#conversation.turns = turns
      this.#recalled = false
      throw thrown
    }
  }

  /** Adds a turn of an imported language model whose reply was cut. A bundle's context does not hold such a turn. */
  remember(text: string, reply: string): void {
    if (this.#chat) this.#keep(this.#begin(text), this.#message(reply, []))
  }

  /** Replaces the reply of the last turn of an imported language model. A bundle's context is not changed. */
  amend(reply: string): void {
    if (this.#chat) this.#conversation.amend(this.#message(reply, []))
  }

  /** Removes the last turn that {@link generate} has finished. */
  async undo(): Promise<void> {
    this.#follow()
    this.#conversation.undo()
    await this.#native.undo()
  }

  reset(): void {
    this.#native.reset()
    this.#followed = this.#native.droppedTurns
    this.#conversation.turns = []
    this.#recalled = true
  }

  dispose(): void {
    this.#native.dispose()
  }

  async snapshot(signal: AbortSignal | undefined): Promise<NativeSnapshot & NativeLayout> {
    await this.#recall(signal)
    return this.#native.snapshot()
  }

  async restore(snapshot: NativeSnapshot, turns: readonly Turn[]): Promise<void> {
    await this.#native.restore(snapshot)
    this.#conversation.turns = turns
  }

  readContext(block: number, begin: number, count: number): Promise<Uint8Array> {
    return this.#native.readContext(block, begin, count)
  }

  writeContext(block: number, begin: number, bytes: Uint8Array): Promise<void> {
    return this.#native.writeContext(block, begin, bytes)
  }

  // --- hearing

  /**
   * Reads speech as samples, and checks its length. Without voice activity detection (`vad` is false or the model has none) all samples
   * belong to one turn, so the context limits them if there is a language model.
   */
  async listen(speech: Speech, signal: AbortSignal | undefined, vad = true): Promise<Samples> {
    const { maxInputSeconds, maxTurnSeconds, nCtx } = this.info
    const limit = vad ? maxInputSeconds : maxTurnSeconds
    if (nCtx > 0 && maxTurnSeconds < MIN_SECONDS) {
      throw new PromptTooLongError(`a context of ${nCtx} positions has no room for speech; use a longer one`, {
        context: nCtx,
      })
    }
    try {
      return await toSamples(speech, limit, signal)
    } catch (thrown) {
      if (nCtx === 0 || this.info.vad || !(thrown instanceof AudioLengthError) || thrown.details.limit !== limit)
        throw thrown
      const message = `${thrown.message}: a context of ${nCtx} positions holds no more`
      throw new AudioLengthError(message, thrown.details, { cause: thrown })
    }
  }

  async transcribe(
    speech: Speech,
    { temperature, vad, onProgress }: Listening,
    signal: AbortSignal | undefined,
  ): Promise<Transcript> {
    const toTranscript = this.#textOf()
    const { samples, warning } = await this.listen(speech, signal, vad)
    const total = samples.length / this.info.inputSampleRate
    const heard = await this.#cancellable(signal, async () =>
      watching(
        this.#native.transcribe(await this.#handOver(samples, signal), { temperature, vad }),
        () => this.#native.heardSeconds,
        seconds => onProgress?.({ seconds, total }),
      ),
    )
    return { ...(await toTranscript(heard)), ...(warning && { warning }) }
  }

  async features(speech: Speech, signal: AbortSignal = new AbortController().signal): Promise<Features> {
    const { featureSize: size, frameSeconds } = this.info
    const { samples, warning } = await this.listen(speech, signal)
    const blocks: Float32Array[] = []
    await this.#cancellable(signal, async () => {
      const last = await this.#handOver(samples, signal)
      for await (const { features } of chunksOf(() => this.#native.features(last), signal))
        if (features) blocks.push(features)
    })
    const data = await join(blocks)
    return { data, frames: data.length / size, size, frameSeconds, ...(warning && { warning }) }
  }

  /** Returns the function that turns the encoder's output into a transcript. */
  #textOf(): (heard: NativeHeard & { segments: NativeSegment[] }) => Promise<Transcript> | Transcript {
    const { codec } = this.#file
    const { ctc, units } = this.info
    if (codec)
      return async heard => {
        const segments = []
        for (const { start, end, textIds } of heard.segments)
          segments.push({ start: roundTime(start), end: roundTime(end), text: await codec.decode(textIds) })
        const text = joined(segments.map(segment => segment.text))
        return { text, ...heardSounds(heard, this.info, text), ...(this.info.vad && { segments }) }
      }
    if (ctc) return heard => heardWords(heard, this.info, ctc)
    throw new UnsupportedError(
      units.length > 0
        ? 'this model cannot transcribe: it has no language model, and its units are not letters'
        : 'this encoder has no CTC head: it cannot transcribe; session.features() gives its hidden states',
      { component: units.length > 0 ? 'lm' : 'encoder' },
    )
  }

  /** Runs work that may begin with `#handOver`. An abort discards the samples, stops the work and rejects at once. */
  async #cancellable<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const cancel = (): void => this.#native.cancel()
    if (signal?.aborted) throw abortedBy(signal)
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await untilAborted(work(), signal)
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /**
   * Copies all but the last samples to the native session, and returns the last ones. It copies in pieces, because copying hours of samples
   * at once would block the event loop.
   */
  async #handOver(samples: Float32Array, signal: AbortSignal | undefined): Promise<Float32Array> {
    let start = 0
    for (; samples.length - start > COPIED_AT_ONCE; start += COPIED_AT_ONCE) {
      this.#native.append(samples.subarray(start, start + COPIED_AT_ONCE))
      await nextTick()
      if (signal?.aborted) {
        this.#native.cancel() // discards the samples that were handed over
        throw abortedBy(signal)
      }
    }
    return samples.subarray(start)
  }

  // --- speaking

  async *speak(
    input: SpeakInput,
    speaking: Speaking,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyChunk, WithoutAudio<Spoken>, void> {
    const spoken = new ReplyBuilder(this.info.sampleRate)
    if ('pieces' in input) {
      let text = ''
      const chunks = this.#speakPieces(input.pieces, speaking, signal, piece => (text += piece))
      for await (const chunk of chunks) {
        spoken.add(chunk)
        yield chunk
      }
      return spoken.finish(text, 'stop', this.languageOf(speaking.voice))
    }
    const sentences = await this.prepare(input, speaking, signal)
    for (const sentence of sentences) {
      for await (const chunk of this.say(sentence, speaking, signal)) {
        spoken.add(chunk)
        yield chunk
      }
    }
    return spoken.finish(input.text ?? writtenOf(sentences), 'stop', this.languageOf(speaking.voice))
  }

  /** Reads a text aloud while it arrives. Calls `read` with each piece. An error of the source follows the sentences before it. */
  async *#speakPieces(
    pieces: (signal: AbortSignal) => AsyncIterable<string>,
    speaking: Speaking,
    signal: AbortSignal,
    read: (piece: string) => void,
  ): AsyncGenerator<ReplyChunk, void, void> {
    const sentences = new Channel<string>(SENTENCES_AHEAD)
    const stop = new AbortController()
    const unfollow = follow(stop, signal)
    const sending = sendSentences(pieces(stop.signal), sentences, read)
    sending.catch(() => undefined) // it is awaited below
    let said = false
    try {
      for await (const text of sentences)
        for (const sentence of await this.prepare({ text }, speaking, signal).catch(nothingToSay)) {
          said = true
          yield* this.say(sentence, speaking, signal)
        }
    } finally {
      unfollow()
      stop.abort(new AbortedError())
    }
    await sending
    if (!said) throw new InvalidArgumentError('there is nothing in the text that can be read', { option: 'text' })
  }

  /**
   * Splits a text or SSML into sentences for {@link say}.
   *
   * @throws {@link InvalidArgumentError} if nothing in it can be read; {@link UnsupportedError} if the voice cannot do what it asks for
   */
  async prepare(input: SpokenInput, speaking: Speaking, signal: AbortSignal): Promise<(Sentence | Tone)[]> {
    return sentencesOf(input, this.#file, speaking, signal)
  }

  /** Speaks a sentence. The first chunk has its text. Adds the computation time to `spent`. */
  async *say(
    sentence: Sentence | Tone,
    speaking: Speaking,
    signal: AbortSignal,
    spent = { decodeMs: 0 },
  ): AsyncGenerator<ReplyChunk, void, void> {
    if (!isTone(sentence)) {
      yield* this.#say(sentence, speaking, signal, spent)
      return
    }
    for (const audio of toneSamples(sentence, this.info.sampleRate)) {
      if (signal.aborted) throw abortedBy(signal)
      yield { audio }
    }
  }

  async *#say(
    { text, ids, symbols, voice, prosody }: Sentence,
    { phonemizer: _, pronunciations: __, ...speaking }: Speaking,
    signal: AbortSignal,
    spent: { decodeMs: number },
  ): AsyncGenerator<ReplyChunk, void, void> {
    const options = { ...speaking, ...(voice !== undefined && { voice, mix: undefined }), ...prosody }
    let [begun, waited] = [false, 0]
    let timings: NativeTimings | undefined
    try {
      const chunks = chunksOf(() => this.#native.speakUnits(ids, options), signal)
      for await (const native of measured(chunks, ms => (waited += ms))) {
        timings = native.timings ?? timings
        const chunk: ReplyChunk = begun ? {} : { text }
        if (native.audio) chunk.audio = native.audio
        // The ids of an imported voice include others besides those of its symbols, so they are not translated back.
        if (symbols && !begun) chunk.units = symbols
        if (!symbols && native.units) chunk.units = this.#unitsOf(native.units)
        begun = true
        if (Object.keys(chunk).length > 0) yield chunk
      }
    } finally {
      spent.decodeMs += timings?.decodeMs ?? waited
    }
  }

  /** The language of an imported voice; undefined for a bundle, which speaks several. */
  languageOf(voice: number | undefined): string | undefined {
    const { voices, defaultVoices } = this.info
    return this.#file.voiceText ? voices[voice ?? defaultVoices.en]?.language : undefined
  }

  #unitsOf(ids: Int32Array): string[] {
    return Array.from(ids, id => this.info.units[id] ?? '').filter(unit => unit !== '')
  }
}
