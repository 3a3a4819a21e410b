import type { Speech } from '../audio.js'
import type { FinishReason, NativeTimings } from '../binding.js'
import { InvalidArgumentError } from '../errors.js'
import { SpokenText } from '../text/spoken-text.js'
import type { Heard, Prompt, Reply, ReplyChunk } from '../turn.js'
import { Channel, merged } from './concurrent.js'
import { missing, type Answering, type WithoutAudio } from './engine.js'
import type { PartEngine } from './part-engine.js'
import type { Sentence, Tone } from './speaking.js'
import { ReplyBuilder } from './reply-builder.js'
import { finishing, measured } from './streaming.js'

/** So many sentences may wait to be spoken; then the language model waits. */
const SENTENCES_AHEAD = 8
const DEFAULT_MAX_SECONDS = 60

type Chunks = AsyncGenerator<ReplyChunk, void, void>

/** One turn of a cascade. A sentence of the answer is spoken as soon as it is whole, while the next ones are being written. */
export class CascadeTurn {
  readonly #lm: PartEngine
  readonly #encoder: PartEngine | undefined
  readonly #voice: PartEngine | undefined
  readonly #answering: Answering
  readonly #reply: ReplyBuilder
  readonly #timings: NativeTimings = {
    encodeMs: 0, prefillMs: 0, lmMs: 0, decodeMs: 0, firstAudioMs: 0, totalMs: 0, inputSeconds: 0, replySeconds: 0,
  } // prettier-ignore
  #started = 0
  #heard: Heard | undefined
  /** What the language model is asked, and what it has answered. */
  #said = ''
  #written = ''
  #finishReason: FinishReason = 'stop'
  /** The language model has come to its end, and remembers the turn. */
  #remembered = false

  constructor(lm: PartEngine, encoder: PartEngine | undefined, voice: PartEngine | undefined, answering: Answering) {
    this.#lm = lm
    this.#encoder = encoder
    this.#voice = voice
    this.#answering = answering
    this.#reply = new ReplyBuilder(voice?.info.sampleRate ?? 0)
  }

  async *run({ speech, text }: Prompt, signal: AbortSignal): AsyncGenerator<ReplyChunk, WithoutAudio<Reply>, void> {
    let whole = false
    try {
      this.#started = performance.now()
      if (text !== undefined) this.#said = text
      else yield* this.#timed(this.#hear(speech, signal))
      if (this.#heard?.noSpeech) {
        yield { finishReason: (this.#finishReason = 'noSpeech') }
        return this.#finish()
      }
      yield* this.#timed(this.#answer(signal))
      // It was cut short where the speech was: what was written until then was said.
      if (!this.#remembered) this.#lm.remember(this.#said, this.#written)
      whole = true
      yield { finishReason: this.#finishReason }
    } finally {
      // What was written to its end but not spoken to its end is forgotten. (Disposed, it has nothing to forget.)
      if (this.#remembered && !whole) await this.#lm.undo().catch(() => undefined)
    }
    return this.#finish()
  }

  /** Transcribes the speech. */
  async *#hear(speech: Speech, signal: AbortSignal): Chunks {
    const encoder = this.#encoder
    if (!encoder) throw missing('encoder')
    const { samples, warning } = await encoder.listen(speech, signal, this.#answering.vad)
    this.#started = performance.now() // decoding the file is no computation of the networks
    const transcript = await encoder.transcribe(samples, { temperature: 0, vad: this.#answering.vad }, signal)
    const heard = (this.#heard = { ...transcript, ...(warning && { warning }) })
    this.#timings.encodeMs = this.#now()
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

  /** Writes the answer, and hands its sentences over until nobody takes them. */
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

  /** What the language model's time is told by; where it is stopped early, by how long it was waited for. */
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

  /** Reads sentences aloud, up to the longest reply. */
  async *#speak(sentences: Channel<string>, signal: AbortSignal): Chunks {
    const voice = this.#voice
    if (!voice) throw missing('voice')
    const { maxSeconds = DEFAULT_MAX_SECONDS } = this.#answering
    let left = Math.ceil(maxSeconds * voice.info.sampleRate)
    try {
      // While the language model reads, dictionaries are loaded, and what the voice lacks is said at once.
      await voice.prepare({ text: 'a' }, this.#answering, signal).catch(nothingToSay)
      for await (const text of sentences) {
        for (const sentence of await voice.prepare({ text }, this.#answering, signal).catch(nothingToSay)) {
          for await (const { audio, units } of voice.say(sentence, this.#answering, signal, this.#timings)) {
            const cut = audio !== undefined && audio.length > left
            const kept = cut ? audio.subarray(0, left) : audio
            left -= kept?.length ?? 0
            if (kept ?? units) yield { ...(kept && { audio: kept }), ...(units && { units }) }
            if (cut) {
              this.#finishReason = 'maxSeconds'
              return
            }
          }
        }
      }
    } finally {
      sentences.close()
    }
  }

  #now(): number {
    return performance.now() - this.#started
  }

  /** While the reader has a chunk, the clock stands. */
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
    return { ...reply, ...(this.#heard && { heard: this.#heard }), timings }
  }
}

/** A sentence in which there is nothing for this voice is passed over. */
function nothingToSay(thrown: unknown): (Sentence | Tone)[] {
  if (thrown instanceof InvalidArgumentError && thrown.details.option === 'text') return []
  throw thrown
}

/** Most encoders write in capitals, which language models seldom read. */
function withoutShouting(text: string): string {
  return text === text.toUpperCase() ? text.toLowerCase() : text
}
