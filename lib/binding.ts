import { createRequire } from 'node:module'
import { join } from 'node:path'
import { AddonError } from './errors.js'
import { packageRoot, unpacked } from './package-root.js'

/*
 * The native addon's surface, as native/addon implements it. Used by lib/ only: arguments are validated before they come here.
 *
 * Errors are `Error`s with the `code` and `details` of errors.ts. Nothing here computes on the calling thread. Typed arrays that
 * go in are copied, those that come out belong to JavaScript.
 */

/** One of the bundle's networks. */
export interface NativeComponent {
  /** `vad`, `frontend`, `tone`, `encoder`, `aligner`, `lm`, `decoder` or `voice`. */
  name: string
  /** Number of parameters. */
  parameters: number
  /** Size of its tensors in the file. */
  bytes: number
  /** Tensor types by the bytes they take, the largest first: `Q8_0`, `F32`. */
  types: string[]
}

/** How the units of a CTC head are text. */
export interface CtcText {
  /** Within a unit it ends a word; '': there is none. */
  wordDelimiter: string
  /** Between the units of a word. */
  separator: string
  /** The text is to be lowered. */
  lowerCase: boolean
  /** Units that are no text: start and end of a sentence, unknown. */
  special: number[]
}

export interface NativeModelInfo {
  /** `moss-speech`, or of an imported language model `qwen3` or `llama`. */
  architecture: string
  /** `general.name`; the file's name where that is missing. */
  name: string
  /** `general.license`, or ''. */
  license: string
  /** `general.description`, or ''. */
  description: string
  /** The unit inventory; [0] is the CTC blank. */
  units: string[]
  /** Encoders whose units are letters or pieces of words: how they are text. */
  ctc?: CtcText
  voices: { name: string; language: string }[]
  /** Indices of the voices that speak when `voice` is -1. */
  defaultVoices: { en: number; zh: number }
  /** [0] is neutral. */
  emotions: string[]
  /** Of what goes in, Hz. */
  inputSampleRate: number
  /** Of what comes out, Hz; 0 without a decoder or voice. */
  sampleRate: number
  /** Of the encoder's hidden states: numbers a frame; 0 without an encoder. */
  featureSize: number
  /** From one such frame to the next, mostly 0.02; 0 without an encoder. */
  frameSeconds: number
  /** Of an imported voice: how text becomes its units, JSON (lib/text/voice.ts); else ''. */
  voiceText: string
  /** A Hugging Face tokenizer.json; '' without a language model, and where the file's is llama.cpp's. */
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
  /** Whether there is a voice activity network, which tells speech from what is none. */
  vad: boolean
  /** What sampling options become where they are not given. */
  sampling: { temperature: number; topK: number; topP: number; repetitionPenalty: number }
  components: NativeComponent[]
  /** Threads a computation uses. */
  threads: number
}

/** Undefined: the model's default. */
export interface NativeSampling {
  /** 0–2; 0 takes the likeliest. */
  temperature?: number | undefined
  /** ≥ 0; 0 is off. */
  topK?: number | undefined
  /** 0 < p ≤ 1. */
  topP?: number | undefined
  /** 1–2. */
  repetitionPenalty?: number | undefined
}

export interface NativeSpeaking {
  /** Index into `voices`; -1 or undefined: by the language of the units. */
  voice?: number | undefined
  /** 0.5–2; default 1. */
  speed?: number | undefined
  /** Index into `emotions`; default 0, neutral. */
  emotion?: number | undefined
  /** Integer below 2^53; undefined: the next one of the session's generator. */
  seed?: number | undefined
  /** 0–2; undefined: the model's. */
  noiseScale?: number | undefined
  /** Imported voices: 0–2; undefined: the voice's. */
  noiseW?: number | undefined
  /** Imported voices: 0.1–10, factor on the durations; undefined: the voice's. */
  lengthScale?: number | undefined
}

/** How each unit is spoken, besides what holds for all: one number a unit in each array. */
export interface NativeUnitProsody {
  /** 0.25–4, a factor on the speed. */
  speeds?: Float32Array | undefined
  /** -12–12 semitones; imported voices take 0 only. */
  pitches?: Float32Array | undefined
  /** 0–10, a factor on the samples, which stay in [-1, 1]. */
  gains?: Float32Array | undefined
}

/** Exactly one of `samples` and `textIds` is given and not empty. */
export interface NativeRequest extends NativeSampling, NativeSpeaking {
  /** 16 kHz mono. */
  samples?: Float32Array | undefined
  /**
   * The user's words; for an imported language model the whole conversation, as its template has it, up to the reply. What the session
   * holds of it already is not computed again.
   */
  textIds?: Int32Array | undefined
  /** Imported language model: ids that end a reply and are no part of it. */
  stopIds?: Int32Array | undefined
  /** `speech`: audio (text is still generated, and remembered, but not delivered); `text`: text only; `both`. */
  output: 'speech' | 'text' | 'both'
  /** Speech longer than this is cut; default 60. */
  maxSeconds?: number | undefined
  /** Text tokens of the reply; default 512. */
  maxTokens?: number | undefined
  /** Spoken input: also transcribes what was heard (`heardTextIds` of the last chunk); default false. */
  transcribe?: boolean | undefined
  /** Spoken input: leave out the silence around the speech, and answer nothing where nobody speaks; default true. */
  vad?: boolean | undefined
}

/** The CTC head's hypothesis. One entry a unit in each array. */
export interface NativeHeard {
  /** Nobody speaks; there are no units. */
  noSpeech: boolean
  units: Int32Array
  /** Seconds from the start. */
  starts: Float32Array
  ends: Float32Array
  /** What it is if it is Mandarin; '' of an encoder whose file names no syllables. */
  pinyin: string
  /** Whether it sounds so. */
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
  /** The language model's reading of the prompt. */
  prefillMs: number
  /** Its steps. */
  lmMs: number
  decodeMs: number
  /** From the start to the first audio (or, for `text`, the first token); 0 when there was none. */
  firstAudioMs: number
  /** Computation from start to end; waiting for a slow reader is not counted. */
  totalMs: number
  inputSeconds: number
  replySeconds: number
}

/**
 * Why a reply ended: `stop`, the model came to its end; `maxSeconds` or `maxTokens`, it was cut at that option; `contextLength`, the
 * context was full; `noSpeech`, nobody speaks in what was to be heard, so there is no reply, and no turn to remember.
 */
export type FinishReason = 'stop' | 'maxSeconds' | 'maxTokens' | 'contextLength' | 'noSpeech'

export interface NativeChunk {
  /** [n] at `sampleRate`. */
  audio?: Float32Array
  /** Units spoken, a little ahead of the audio. */
  units?: Int32Array
  textIds?: Int32Array
  /** First chunk of a reply to speech. */
  heard?: NativeHeard
  /** Last chunk, when `transcribe` was set. */
  heardTextIds?: Int32Array
  /** Of `features`: whole frames of `featureSize`, one after the other. */
  features?: Float32Array
  /** Last chunk of `generate`. */
  finishReason?: FinishReason
  /** Last chunk. */
  timings?: NativeTimings
  /** True for the last chunk, which may hold data as well. */
  done: boolean
}

/** A reply under way on the session's thread, a few chunks ahead of its reader. */
export interface NativeStream {
  /** The next chunk, in order; after the last one `{ done: true }`. Rejects with the error that ended the stream. */
  next(): Promise<NativeChunk>
  /** Stops it soon; waiting and later `next()` reject with MOSS_ABORTED. The session is free for its next task at once. */
  cancel(): void
}

/**
 * A conversation. One task at a time: a second one rejects with (what gives a stream: throws) MOSS_SESSION_BUSY until the first has
 * delivered its last chunk, failed or been cancelled.
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
  /** The turn is over: the reply, as by `generate`. Its `firstAudioMs` and `totalMs` count from here. */
  finish(): NativeStream
  /** Gives up a turn that has begun, and stops a `begin` or `feed` that runs. */
  abandon(): void
  /**
   * Speech that the next `generate`, `encode`, `transcribe` or `features` begins with. Long speech is handed over in pieces, since each is copied on the calling
   * thread; `cancel` forgets them.
   */
  append(samples: Float32Array): void
  /** 16 kHz mono → the CTC hypothesis. */
  encode(samples: Float32Array): Promise<NativeHeard>
  /**
   * The same and the language model's text of it, utterance by utterance where there is a voice activity network (unless `vad` is false).
   * Outside the conversation: the context is not changed. Without a language model, where `ctc` says how units are text, there are no segments.
   */
  transcribe(
    samples: Float32Array,
    options?: NativeSampling & { seed?: number | undefined; maxTokens?: number | undefined; vad?: boolean | undefined },
  ): Promise<NativeHeard & { segments: NativeSegment[] }>
  /** The encoder's hidden states of 16 kHz mono, a window at a time. */
  features(samples: Float32Array): NativeStream
  /** Takes back the last turn that `generate` finished, if any: the context is what it was before, and the turn before is the last one. */
  undo(): Promise<void>
  /** Stops what runs and gives a promise: it rejects with MOSS_ABORTED soon. The session is free for its next task at once. */
  cancel(): void
  /** Units → audio, without the language model; for an imported voice: the ids of one sentence, at most 4096. */
  speakUnits(units: Int32Array, options?: NativeSpeaking & NativeUnitProsody): NativeStream
  /** Of the speech that an `encode` or `transcribe` has got, how many seconds it has heard. Encoders that hear in windows, and transcriptions of several utterances, tell it. */
  readonly heardSeconds: number
  /** Positions of the context in use. */
  readonly length: number
  /** Forgets the conversation. */
  reset(): void
  /** Cancels what runs and frees the memory as soon as it has stopped. Idempotent. */
  dispose(): void
}

/** A network with attention heads that a tool may change. */
export type NativeNetwork = 'encoder' | 'lm'

/**
 * Something to run a network on. The encoder hears `samples`; an imported language model reads `textIds`; a bundle's reads a turn: the
 * user's words as `samples` or `textIds`, and the reply to them.
 */
export interface NativeExercise {
  /** 16 kHz mono. */
  samples?: Float32Array | undefined
  textIds?: Int32Array | undefined
  /** Of a spoken reply. */
  units?: Int32Array | undefined
  /** The reply's text. */
  replyIds?: Int32Array | undefined
}

export interface NativeHeads {
  /** The name of the block's tensors: `encoder.blk.0`, `blk.3`, `audio.blk.0`. */
  block: string
  /**
   * One a head of the encoder, one a KV head (with its query heads) of a language model: the length of what it adds to the residual
   * stream, relative to the stream's, mean over the `positions`.
   */
  shares: number[]
  /** Of the language model; of the encoder, frames. */
  positions: number
}

/** Sums over `positions`, so that those of many exercises can be added. */
export interface NativeDifference {
  /** Encoder: frames; language model: ids that had a next one to predict. */
  positions: number
  /** Encoder: of the hidden states. */
  cosine: number
  /** Encoder: units that the unchanged one hears, and edits from them to what the changed one hears. */
  units: number
  edits: number
  /** Language model, in nats: -ln p of the next id by both, and the Kullback-Leibler divergence. */
  lossBefore: number
  lossAfter: number
  divergence: number
}

export interface NativeModel {
  info(): NativeModelInfo
  createSession(options?: { seed?: number | undefined }): NativeSession
  /** What each attention head contributes when a network is run on something. */
  measureHeads(component: NativeNetwork, exercise: NativeExercise): Promise<NativeHeads[]>
  /** How far another model, changed from this one, is from it on something. */
  compare(component: NativeNetwork, changed: NativeModel, exercise: NativeExercise): Promise<NativeDifference>
  /** Sessions keep what they need of it. Idempotent. */
  dispose(): void
}

export interface NativeAddon {
  /**
   * `threads` 1–256, default: half of the logical CPUs, at most 8, at least 2 where there are 2. `contextLength` 1–`maxNCtx`, default:
   * `maxNCtx`, but 4096 at most for an imported language model.
   */
  loadModel(
    path: string,
    options?: { threads?: number | undefined; contextLength?: number | undefined },
  ): Promise<NativeModel>
  /**
   * Rows of `rowLength` floats in the form in which a GGUF file holds them. `type` is `f32`, `f16`, `bf16`, `q4_0`, `q4_1`, `q5_0`, `q5_1`,
   * `q8_0` or `q2_k` … `q6_k`. Rejects with MOSS_INVALID_ARGUMENT what is no whole number of rows or blocks (32 values, K-quants 256), is
   * not finite, or does not fit F16.
   */
  quantize(type: string, data: Float32Array, rowLength: number): Promise<Uint8Array>
  /** The floats of whole blocks of such a type. */
  dequantize(type: string, data: Uint8Array): Promise<Float32Array>
  ggmlVersion: string
}

let addon: NativeAddon | undefined

/** The addon: a prebuild for this machine, or what was built from source. Loaded at the first call. */
export function loadAddon(): NativeAddon {
  if (addon) return addon
  const root = packageRoot()
  const path = unpacked(root)
  try {
    // By Node's own `require`, whatever a bundler has made of ours.
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
