import type { Speech } from '../audio.js'
import type { FinishReason, NativeTimings } from '../binding.js'
import { SpokenText } from '../text/spoken-text.js'
import type { Heard, Reply, ReplyChunk } from '../turn.js'
import { Channel, merged } from './concurrent.js'
import { missing, type Answering, type Kept, type Question, type WithoutAudio } from './engine.js'
import type { PartEngine } from './part-engine.js'
import { PlayedText } from './played-text.js'
import { nothingToSay } from './speaking.js'
import { ReplyBuilder } from './reply-builder.js'
import { finishing, measured } from './streaming.js'
import { SENTENCES_AHEAD } from './text-stream.js'

const DEFAULT_MAX_SECONDS = 60
/** A reply of which less than this was not played is not shortened, because players report in whole periods. */
const TOLERANCE = 0.05 // seconds

type Chunks = AsyncGenerator<ReplyChunk, void, void>

/** One turn of a cascade. Each sentence of the reply is spoken once it is complete, while the language model generates the next ones. */
export class CascadeTurn {
  readonly #lm: PartEngine
  readonly #encoder: PartEngine | undefined
  readonly #voice: PartEngine | undefined
  readonly #answering: Answering
  readonly #reply: ReplyBuilder
  readonly #timings: NativeTimings = {
    encodeMs: 0, prefillMs: 0, lmMs: 0, decodeMs: 0, heardMs: 0, readyMs: 0, firstTokenMs: 0, firstAudioMs: 0, totalMs: 0, inputSeconds: 0, replySeconds: 0,
  } // prettier-ignore
  #started = 0
  #heard: Heard | undefined
  /** The text that the language model answers, and the text that it has generated so far. */
  #said = ''
  #written = ''
  #finishReason: FinishReason = 'stop'
  readonly #droppedBefore: number
  /** Whether the language model has ended its reply and so holds the whole turn in its context. */
  #remembered = false
  /** Whether the reply has ended without being stopped, so that the conversation holds it. */
  #whole = false
  readonly #played = new PlayedText()

  constructor(lm: PartEngine, encoder: PartEngine | undefined, voice: PartEngine | undefined, answering: Answering) {
    this.#lm = lm
    this.#encoder = encoder
    this.#voice = voice
    this.#answering = answering
    this.#droppedBefore = lm.dropped
    this.#reply = new ReplyBuilder(voice?.info.sampleRate ?? 0)
  }

  async *run({ speech, text }: Question, signal: AbortSignal): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void> {
    try {
      this.#started = performance.now()
      if (text !== undefined) this.#said = text
      else yield* this.#timed(this.#hear(speech, signal))
      if (this.#heard?.noSpeech) {
        yield { finishReason: (this.#finishReason = 'noSpeech') }
        return this.#finish()
      }
      yield* this.#timed(this.#answer(signal))
      // The reply was cut short because the speech was. The text generated until then counts as the reply.
      if (!this.#remembered) this.#lm.remember(this.#said, this.#written)
      this.#whole = true
      yield { finishReason: this.#finishReason }
    } finally {
      // A reply whose text was generated to its end, but not spoken to its end, is undone. If the language model has been disposed of,
      // there is nothing to undo, so errors are ignored.
      if (this.#remembered && !this.#whole) await this.#lm.undo().catch(() => undefined)
    }
    return this.#finish()
  }

  /** Shortens the reply in the conversation to what was played of it, after it has ended or was stopped. */
  async shorten(seconds: number): Promise<Kept> {
    const { output } = this.#answering
    if (this.#whole && (output === 'text' || seconds >= this.#reply.seconds - TOLERANCE)) return { all: true, text: '' }
    const text = output === 'text' ? this.#written : this.#played.until(seconds)
    if (!this.#whole && text !== '') this.#lm.remember(this.#said, text)
    else if (text !== '') this.#lm.amend(text)
    else if (this.#whole) await this.#lm.undo()
    return { all: false, text }
  }

  /** Transcribes the speech. */
  async *#hear(speech: Speech, signal: AbortSignal): Chunks {
    const encoder = this.#encoder
    if (!encoder) throw missing('encoder')
    const { samples, warning } = await encoder.listen(speech, signal, this.#answering.vad)
    this.#started = performance.now() // the timings do not include decoding the audio file
    const transcript = await encoder.transcribe(samples, { temperature: 0, vad: this.#answering.vad }, signal)
    const heard = (this.#heard = { ...transcript, ...(warning && { warning }) })
    this.#timings.encodeMs = this.#timings.heardMs = this.#now()
    this.#timings.inputSeconds = samples.length / encoder.info.inputSampleRate
    this.#said = withoutShouting(heard.text)
    yield { heard }
  }

  #answer(signal: AbortSignal): Chunks {
    if (this.#answering.output === 'text') return this.#write(undefined, signal)
    const sentences = new Channel<string>(SENTENCES_AHEAD)
    return merged(
      signal,
      stop => this.#write(sentences, stop),
      stop => this.#speak(sentences, stop),
    )
  }

  /** Generates the text of the reply, and puts its sentences into the channel until that is closed. */
  async *#write(sentences: Channel<string> | undefined, signal: AbortSignal): Chunks {
    const { output, temperature, topK, topP, maxTokens, seed } = this.#answering
    const sampling = { temperature, topK, topP, maxTokens, seed }
    const answer = this.#lm.generate(
      { text: this.#said },
      { ...sampling, output: 'text', phonemizer: 'auto', pronunciations: '' },
      signal,
    )
    const spoken = new SpokenText()
    try {
      for await (const { text } of this.#counted(answer)) {
        if (!text) continue
        if (this.#written === '') this.#timings.readyMs = this.#timings.firstTokenMs = this.#now()
        this.#written += text
        if (output !== 'speech') yield { text }
        for (const sentence of spoken.push(text)) await sentences?.put(sentence)
        if (sentences?.closed) return
      }
      for (const sentence of spoken.end()) await sentences?.put(sentence)
    } finally {
      sentences?.close()
    }
  }

  /**
   * Passes the chunks of the language model on and records its times. If it is stopped early, it reports no times, and the time spent
   * waiting for it counts instead.
   */
  #counted(answer: AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void>): AsyncGenerator<ReplyChunk, void, void> {
    const timings = this.#timings
    const finished = finishing(answer, reply => {
      const { prefillMs, lmMs } = reply.timings
      this.#finishReason = reply.finishReason
      Object.assign(timings, { prefillMs, lmMs })
      this.#remembered = true
    })
    return measured(finished, ms => (timings[this.#written ? 'lmMs' : 'prefillMs'] += ms))
  }

  /** Reads sentences aloud, at most `maxSeconds` of speech. */
  async *#speak(sentences: Channel<string>, signal: AbortSignal): Chunks {
    const voice = this.#voice
    if (!voice) throw missing('voice')
    const { maxSeconds = DEFAULT_MAX_SECONDS } = this.#answering
    let left = Math.ceil(maxSeconds * voice.info.sampleRate)
    try {
      // Loads the dictionaries during the language model's prefill, and reports at once if the voice cannot speak with these options.
      await voice.prepare({ text: 'a' }, this.#answering, signal).catch(nothingToSay)
      for await (const text of sentences) {
        this.#played.begin(text)
        for (const sentence of await voice.prepare({ text }, this.#answering, signal).catch(nothingToSay)) {
          for await (const { audio, units } of voice.say(sentence, this.#answering, signal, this.#timings)) {
            const cut = audio !== undefined && audio.length > left
            const kept = cut ? audio.subarray(0, left) : audio
            left -= kept?.length ?? 0
            this.#played.add((kept?.length ?? 0) / voice.info.sampleRate)
            if (kept ?? units) yield { ...(kept && { audio: kept }), ...(units && { units }) }
            if (cut) {
              this.#finishReason = 'maxSeconds'
              return
            }
          }
        }
        this.#played.end()
      }
    } finally {
      sentences.close()
    }
  }

  #now(): number {
    return performance.now() - this.#started
  }

  /** Passes chunks on. The clock is stopped while the reader works on a chunk. */
  async *#timed(chunks: Chunks): Chunks {
    const { output } = this.#answering
    for await (const chunk of chunks) {
      if (this.#timings.firstAudioMs === 0 && (chunk.audio ?? (output === 'text' && chunk.text)))
        this.#timings.firstAudioMs = this.#now()
      this.#reply.add(chunk)
      const given = performance.now()
      yield chunk
      this.#started += performance.now() - given
    }
  }

  #finish(): WithoutAudio<Reply> {
    const { output, voice } = this.#answering
    const language = output === 'text' ? undefined : this.#voice?.languageOf(voice)
    const timings = { ...this.#timings, totalMs: this.#now(), replySeconds: this.#reply.seconds }
    const reply = this.#reply.finish(output === 'speech' ? '' : this.#written, this.#finishReason, language)
    const dropped = this.#lm.dropped - this.#droppedBefore
    return { ...reply, ...(this.#heard && { heard: this.#heard }), ...(dropped > 0 && { dropped }), timings }
  }
}

/** Converts a text of capitals to lower case. Most CTC encoders write capitals, which are rare in the training data of language models. */
function withoutShouting(text: string): string {
  return text === text.toUpperCase() ? text.toLowerCase() : text
}
