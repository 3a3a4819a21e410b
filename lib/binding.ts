import { createRequire } from 'node:module'
import { join } from 'node:path'
import { AddonError } from './errors.js'
import { packageRoot, unpacked } from './package-root.js'

/*
 * The interface of the native addon, implemented by native/addon. Used only by lib/, which validates arguments first.
 *
 * Errors are `Error`s with the `code` and `details` of errors.ts. Nothing computes on the calling thread. Typed arrays
 * that are passed in are copied; those that are returned belong to JavaScript.
 */

/** One of the bundle's networks. */
export interface NativeComponent {
  /** `vad`, `frontend`, `tone`, `encoder`, `endpoint`, `aligner`, `lm`, `decoder`, `generator` or `voice`. */
  name: string
  /** Number of parameters. */
  parameters: number
  /** Size of its tensors in the file. */
  bytes: number
  /** Tensor types by the bytes they take, the largest first: `Q8_0`, `F32`. */
  types: string[]
}

/** How the units of a CTC head are turned into text. */
export interface CtcText {
  /** A character that ends a word within the units; '' if there is none. */
  wordDelimiter: string
  /** Put between the units of a word. */
  separator: string
  /** Whether the text is to be converted to lower case. */
  lowerCase: boolean
  /** Units that are not text: start and end of a sentence, unknown. */
  special: number[]
}

export interface NativeModelInfo {
  /** `moss-speech`; `qwen3` or `llama` for an imported language model. */
  architecture: string
  /** `general.name`, or the file's name if the key is missing. */
  name: string
  /** `general.license`, or ''. */
  license: string
  /** `general.description`, or ''. */
  description: string
  /** The unit inventory; [0] is the CTC blank. */
  units: string[]
  /** Only of encoders whose units are letters or pieces of words: how the units are turned into text. */
  ctc?: CtcText
  voices: { name: string; language: string }[]
  /** Indices of the voices that speak when `voice` is -1. */
  defaultVoices: { en: number; zh: number }
  /** [0] is neutral. */
  emotions: string[]
  /** The sample rate of input audio, in Hz. */
  inputSampleRate: number
  /** The sample rate of output audio, in Hz; 0 without a decoder or voice. */
  sampleRate: number
  /** The size of the encoder's hidden states; 0 without an encoder. */
  featureSize: number
  /** The time from one frame of the encoder to the next, mostly 0.02; 0 without an encoder. */
  frameSeconds: number
  /** How text becomes the ids of an imported voice, as JSON (lib/text/voice.ts); otherwise ''. */
  voiceText: string
  /**
   * The text of a Hugging Face tokenizer.json; '' without a language model, and for files with llama.cpp's tokenizer
   * keys.
   */
  tokenizer: string
  specialTokens: { imStart: number; imEnd: number; sosp: number; modalityPad: number; pad: number }
  /** Positions of a session's context. */
  nCtx: number
  /** Positions that the language model was trained for. */
  maxNCtx: number
  /** The longest recording that can be heard, in seconds: transcribed, or searched for the speech of a turn. */
  maxInputSeconds: number
  /** The longest speech that one turn can take in an empty session, in seconds. */
  maxTurnSeconds: number
  /** Whether there is a voice activity network, which distinguishes speech from silence and noise. */
  vad: boolean
  /** Whether it can be told if a turn that is fed is complete (`completeness`). */
  endpoint: boolean
  /** Samples of a window of the voice activity network, at 16 kHz; 0 if the file has none. */
  vadWindow: number
  /** The defaults of the sampling options. */
  sampling: { temperature: number; topK: number; topP: number; repetitionPenalty: number }
  components: NativeComponent[]
  /** The number of threads that a computation uses. */
  threads: number
}

/** Sampling options; the model's defaults replace undefined ones. */
export interface NativeSampling {
  /** 0–2; 0 always takes the most probable token. */
  temperature?: number | undefined
  /** ≥ 0; 0 is off. */
  topK?: number | undefined
  /** 0 < p ≤ 1. */
  topP?: number | undefined
  /** 1–2. */
  repetitionPenalty?: number | undefined
}

export interface NativeSpeaking {
  /** Index into `voices`; -1 or undefined chooses by the language of the units. */
  voice?: number | undefined
  /** In place of `voice`: the share of each voice, 0–1, together 1. Voices of one kind only (`VoiceFacts::mixes_voices`). */
  mix?: Float32Array | undefined
  /** 0.5–2; default 1. */
  speed?: number | undefined
  /** -12–12 semitones; default 0, which imported voices need. */
  pitch?: number | undefined
  /** -20–20 dB; default 0. */
  energy?: number | undefined
  /** 0–4, a factor on the silences; default 1, which imported voices need. */
  pause?: number | undefined
  /** Index into `emotions`; default 0, neutral. */
  emotion?: number | undefined
  /** An integer below 2^53; undefined takes the next one from the session's generator. */
  seed?: number | undefined
  /** 0–2; undefined takes the model's default. */
  noiseScale?: number | undefined
  /** Only for imported voices: 0–2; undefined takes the voice's default. */
  noiseW?: number | undefined
  /** Only for imported voices: 0.1–10, multiplies the durations; undefined takes the voice's default. */
  lengthScale?: number | undefined
}

/** How each unit is spoken, in addition to the options for all units. Each array has one number for each unit. */
export interface NativeUnitProsody {
  /** 0.25–4, a factor on the speed. */
  speeds?: Float32Array | undefined
  /** -12–12 semitones; imported voices accept only 0. */
  pitches?: Float32Array | undefined
  /** 0–10, a factor on the samples, which stay in [-1, 1]. */
  gains?: Float32Array | undefined
}

/** Exactly one of `samples` and `textIds` is given and not empty. */
export interface NativeRequest extends NativeSampling, NativeSpeaking {
  /** 16 kHz mono. */
  samples?: Float32Array | undefined
  /**
   * The user's text; for an imported language model the whole conversation up to the reply, formatted by its chat
   * template. The part that is already in the session's context is not computed again.
   */
  textIds?: Int32Array | undefined
  /** Only for imported language models: ids that end a reply and are not part of it. */
  stopIds?: Int32Array | undefined
  /**
   * Only for imported language models: old turns were left out of `textIds` because the context is full. What follows
   * them is kept in the context and moves up, instead of being computed again; default false.
   */
  shortened?: boolean | undefined
  /** `speech`: audio (text is still generated, and remembered, but not delivered); `text`: text only; `both`. */
  output: 'speech' | 'text' | 'both'
  /** Speech longer than this is cut; default 60. */
  maxSeconds?: number | undefined
  /** Text tokens of the reply; default 512. */
  maxTokens?: number | undefined
  /** Only for spoken input: also transcribe it (`heardTextIds` of the last chunk); default false. */
  transcribe?: boolean | undefined
  /** Only for spoken input: leave out the silence around the speech, and do not answer if nobody speaks; default true. */
  vad?: boolean | undefined
}

/** The hypothesis of the CTC head. Each array has one entry for each unit. */
export interface NativeHeard {
  /** Nobody speaks; there are no units. */
  noSpeech: boolean
  units: Int32Array
  /** Seconds from the start. */
  starts: Float32Array
  ends: Float32Array
  /** The syllables if the speech is Mandarin; '' for an encoder whose file names no syllables. */
  pinyin: string
  /** Whether the speech sounds Mandarin. */
  mandarin: boolean
}

/** An utterance, as the language model transcribed it. */
export interface NativeSegment {
  /** Seconds from the start of the recording. */
  start: number
  end: number
  textIds: Int32Array
}

export interface NativeTimings {
  /** Front end, tone module, encoder, aligner. */
  encodeMs: number
  /** The time in which the language model read the prompt. */
  prefillMs: number
  /** The time in which the language model generated the reply. */
  lmMs: number
  decodeMs: number
  /** The time from the start until all speech was heard; 0 if there was none. */
  heardMs: number
  /** The time from the start until the language model had read the prompt; 0 if there is none. */
  readyMs: number
  /** The time from the start to the first unit of a spoken reply, or token of a written one; 0 if there was none. */
  firstTokenMs: number
  /** The time from the start to the first audio (for `text`, to the first token); 0 if there was none. */
  firstAudioMs: number
  /** The time of all computation; waiting for a slow reader is not counted. */
  totalMs: number
  inputSeconds: number
  replySeconds: number
}

/**
 * Why a reply ended: `stop`, the model finished it; `maxSeconds` or `maxTokens`, it was cut at that option;
 * `contextLength`, the context was full; `noSpeech`, nobody speaks in the recording, so there is no reply, and the turn
 * is not remembered.
 */
export type FinishReason = 'stop' | 'maxSeconds' | 'maxTokens' | 'contextLength' | 'noSpeech'

export interface NativeChunk {
  /** [n] at `sampleRate`. */
  audio?: Float32Array
  /** Units spoken, a little ahead of the audio. */
  units?: Int32Array
  /** Seconds of the audio at which the next units end, in order, as they become known. */
  unitEnds?: Float32Array
  textIds?: Int32Array
  /** First chunk of a reply to speech. */
  heard?: NativeHeard
  /** Last chunk, when `transcribe` was set. */
  heardTextIds?: Int32Array
  /** Only from `features`: whole frames of `featureSize` numbers each. */
  features?: Float32Array
  /** Last chunk of `generate`. */
  finishReason?: FinishReason
  /** Last chunk. */
  timings?: NativeTimings
  /** True for the last chunk, which may hold data as well. */
  done: boolean
}

/** A reply that is being generated on the session's thread, a few chunks ahead of its reader. */
export interface NativeStream {
  /** The next chunk, in order; after the last one `{ done: true }`. Rejects with the error that ended the stream. */
  next(): Promise<NativeChunk>
  /**
   * Stops the reply soon. Pending and later calls of `next()` reject with MOSS_ABORTED. The session is free for its
   * next task at once.
   */
  cancel(): void
  /**
   * Stops the reply of a turn that was fed, as `cancel` does, but keeps what there is of it for `shorten`, which must be
   * called next.
   */
  stop(): void
}

/** A turn that took place elsewhere, for a bundle. */
export interface NativePastTurn {
  textIds: Int32Array
  /** Of a spoken reply; undefined or empty if the reply is written. */
  units?: Int32Array | undefined
  replyIds: Int32Array
}

/** What there is to a conversation besides the keys and values of its context. */
export interface NativeSnapshot {
  /** Positions of the context. */
  length: number
  /** The length of the context before each turn. */
  turns: Int32Array
  /** Of an imported language model: the ids at all positions. */
  ids: Int32Array
  /** The state of the generator of seeds, 32 bytes. */
  random: Uint8Array
}

/** How keys and values are stored. */
export interface NativeLayout {
  /** `f32`, `f16` or `q8`; '' without a language model. */
  type: string
  /** The bytes that keys and values of one position take, for each block. */
  positionBytes: Int32Array
}

/**
 * A conversation. It runs one task at a time: until that has delivered its last chunk, failed or been cancelled, a
 * second one rejects with MOSS_SESSION_BUSY (functions that return a stream throw it).
 */
export interface NativeSession {
  /** A finished reply stays in the session's context; a cancelled or failed one leaves it as it was. */
  generate(request: NativeRequest): NativeStream
  /**
   * Begins a spoken turn that is heard while it is spoken; the request has neither `samples` nor `textIds`, and its `vad` is not looked at.
   * Every other function of the session gives up a turn that is not finished, and so does a failure of one of these.
   */
  begin(request: NativeRequest): Promise<void>
  /** Hears the next samples, 16 kHz mono, any number of them. Resolves when they are heard. */
  feed(samples: Float32Array): Promise<void>
  /** The probability, 0–1, that the turn that is fed is complete; to be asked some 200 ms after the speech. The turn goes on. */
  completeness(): Promise<number>
  /** The turn is over: the reply, as by `generate`. The times that count from the start count from here. */
  finish(): NativeStream
  /**
   * Shortens the spoken reply of the last `finish` to its first units and to a text; without a text, the language model
   * writes one for these units, which may say more than they do. Without units the whole turn is removed; of a written
   * reply, all that there is is kept. Resolves to the text. To be called after the stream has ended or was stopped,
   * before any other function; may be called repeatedly.
   */
  shorten(units: number, textIds?: Int32Array): Promise<Int32Array>
  /** Gives up a turn that has begun, and stops a `begin` or `feed` that runs. */
  abandon(): void
  /**
   * Adds samples at the beginning of the speech for the next `generate`, `encode`, `transcribe` or `features`. Long
   * speech is passed in pieces, because each is copied on the calling thread. `cancel` discards them.
   */
  append(samples: Float32Array): void
  /** 16 kHz mono → the CTC hypothesis. */
  encode(samples: Float32Array): Promise<NativeHeard>
  /**
   * The CTC hypothesis and the language model's transcription, utterance by utterance if there is a voice activity
   * network (unless `vad` is false). The context of the conversation is not changed. Without a language model, when
   * `ctc` says how units are turned into text, there are no segments.
   */
  transcribe(
    samples: Float32Array,
    options?: NativeSampling & { seed?: number | undefined; maxTokens?: number | undefined; vad?: boolean | undefined },
  ): Promise<NativeHeard & { segments: NativeSegment[] }>
  /** The encoder's hidden states of 16 kHz mono, a window at a time. */
  features(samples: Float32Array): NativeStream
  /** Removes the last turn that `generate` finished, if any, from the context. The turn before it is then the last one. */
  undo(): Promise<void>
  /** Adds a turn that took place elsewhere to the context of a bundle. */
  recall(turn: NativePastTurn): Promise<void>
  snapshot(): Promise<NativeSnapshot & NativeLayout>
  /**
   * Makes this the conversation of a snapshot, once `writeContext` has written all its keys and values. Rejects with
   * MOSS_INVALID_ARGUMENT if the snapshot does not fit the model, MOSS_PROMPT_TOO_LONG if the context is too short.
   */
  restore(snapshot: NativeSnapshot): Promise<void>
  /** Keys and values of a block at `count` positions from `begin` on, position by position and head by head. */
  readContext(block: number, begin: number, count: number): Promise<Uint8Array>
  /** Writes what `readContext` has returned. */
  writeContext(block: number, begin: number, bytes: Uint8Array): Promise<void>
  /**
   * Stops the running call that has returned a promise, which soon rejects with MOSS_ABORTED. The session is free for
   * its next task at once.
   */
  cancel(): void
  /** Turns units into audio without the language model. An imported voice takes the ids of one sentence, at most 4096. */
  speakUnits(units: Int32Array, options?: NativeSpeaking & NativeUnitProsody): NativeStream
  /**
   * How many seconds of its speech the running `encode` or `transcribe` has processed. It is updated by encoders that
   * work in windows, and when several utterances are transcribed.
   */
  readonly heardSeconds: number
  /** Positions of the context in use. */
  readonly length: number
  /** How many turns have been removed so far, because the context was full. Only for a bundle's session with `slide`. */
  readonly droppedTurns: number
  /** Forgets the conversation. */
  reset(): void
  /** Cancels the running task and frees the memory as soon as that has stopped. Idempotent. */
  dispose(): void
}

/** A network with attention heads that a tool may change. */
export type NativeNetwork = 'encoder' | 'lm'

/**
 * An input on which a network is measured. The encoder reads `samples`; an imported language model reads `textIds`; a
 * bundle's language model reads a turn: the user's input as `samples` or `textIds`, and the reply.
 */
export interface NativeExercise {
  /** 16 kHz mono. */
  samples?: Float32Array | undefined
  textIds?: Int32Array | undefined
  /** The units of a spoken reply. */
  units?: Int32Array | undefined
  /** The text of the reply. */
  replyIds?: Int32Array | undefined
}

export interface NativeHeads {
  /** The name of the block's tensors: `encoder.blk.0`, `blk.3`, `audio.blk.0`. */
  block: string
  /**
   * One number for each head of an encoder, or for each KV head (with its query heads) of a language model: the norm of
   * what it adds to the residual stream, relative to the norm of the stream, averaged over `positions`.
   */
  shares: number[]
  /** Of the language model; of the encoder, frames. */
  positions: number
}

/** Sums over `positions`, so that the differences on several exercises can be added. */
export interface NativeDifference {
  /** For an encoder the number of frames; for a language model the number of predicted ids. */
  positions: number
  /** Encoder: the cosine similarity of the hidden states. */
  cosine: number
  /**
   * Encoder: the number of units that the unchanged model hears, and the edits from them to those that the changed
   * model hears.
   */
  units: number
  edits: number
  /** Language model, in nats: -ln p of the next id by both models, and the Kullback-Leibler divergence between them. */
  lossBefore: number
  lossAfter: number
  divergence: number
}

/** Tells how probable it is that somebody speaks, while audio arrives, on a thread of its own. */
export interface NativeSpeechDetector {
  /**
   * Takes the next samples, 16 kHz mono and any number of them. Resolves to a probability for each window of `vadWindow`
   * samples that has become complete.
   */
  push(samples: Float32Array): Promise<Float32Array>
  /** Frees its memory and its thread. Idempotent. */
  dispose(): void
}

export interface NativeModel {
  info(): NativeModelInfo
  /** `slide`: a bundle's session removes its oldest turns when a new one does not fit the context; default false. */
  createSession(options?: { seed?: number | undefined; slide?: boolean | undefined }): NativeSession
  /** Throws MOSS_UNSUPPORTED if the file has no voice activity network. */
  createSpeechDetector(): NativeSpeechDetector
  /** What each attention head contributes when a network is run on something. */
  measureHeads(component: NativeNetwork, exercise: NativeExercise): Promise<NativeHeads[]>
  /** How far another model, changed from this one, is from it on something. */
  compare(component: NativeNetwork, changed: NativeModel, exercise: NativeExercise): Promise<NativeDifference>
  /** Frees the model once its sessions no longer need it. Idempotent. */
  dispose(): void
}

export interface NativeAddon {
  /**
   * `threads` 1–256, default: half of the logical CPUs, at most 8, at least 2 where there are 2. `contextLength` 1–`maxNCtx`, default:
   * `maxNCtx`, but 4096 at most for an imported language model. `kvCacheType` is an index of KV_CACHE_TYPES, default F16; `kvCacheBytes`
   * is the most that the caches of all sessions take together, default: no limit. `onlyVad` loads nothing but the voice activity network.
   */
  loadModel(
    path: string,
    options?: {
      threads?: number | undefined
      contextLength?: number | undefined
      kvCacheType?: number | undefined
      kvCacheBytes?: number | undefined
      onlyVad?: boolean | undefined
    },
  ): Promise<NativeModel>
  /**
   * Converts rows of `rowLength` floats to a type of GGUF files. `type` is `f32`, `f16`, `bf16`, `q4_0`, `q4_1`,
   * `q5_0`, `q5_1`, `q8_0` or `q2_k` … `q6_k`. Rejects with MOSS_INVALID_ARGUMENT if `data` is not a whole number of
   * rows, a row is not a whole number of blocks (of 32 values; of 256 for K-quants), or a value is not finite or too
   * large for F16.
   */
  quantize(type: string, data: Float32Array, rowLength: number): Promise<Uint8Array>
  /** Converts whole blocks of such a type to floats. */
  dequantize(type: string, data: Uint8Array): Promise<Float32Array>
  ggmlVersion: string
}

let addon: NativeAddon | undefined

/** The addon: a prebuild for this machine, or the one that was built from source. It is loaded at the first call. */
export function loadAddon(): NativeAddon {
  if (addon) return addon
  const root = packageRoot()
  const path = unpacked(root)
  try {
    // Uses Node's own `require`, because a bundler may have replaced the one in this file.
    const load = createRequire(join(root, 'package.json'))('node-gyp-build') as (folder: string) => unknown
    addon = load(path) as NativeAddon
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    const cure = /\.asar[\\/]/.test(root)
      ? 'it must be unpacked from the archive: `asarUnpack: ["**/node_modules/moss-speech-native/{build,models,prebuilds}/**"]` (docs/bundling.md, Electron)'
      : '`npm rebuild moss-speech-native` builds it here'
    throw new AddonError(`the native addon cannot be loaded (${message}); ${cure}`, { path }, { cause })
  }
  return addon
}
