import type { Speech } from './audio.js'
import type { FinishReason, NativeTimings } from './binding.js'

/** What a turn answers: speech, or text; one of the two. */
export type Prompt = { speech: Speech; text?: undefined } | { text: string; speech?: undefined }

/** A unit that was heard, and when. */
export interface HeardUnit {
  /** A symbol of `model.info().units`: a phoneme, a tone, a stress mark, a word boundary or a pause; of imported encoders mostly letters. */
  unit: string
  /** Seconds from the start of the speech. */
  start: number
  end: number
}

/** The phonetic transcript of speech, by the encoder. */
export interface Heard {
  /** Nobody speaks: it is silence, noise, a tone. There is nothing else to be told then. */
  noSpeech?: true
  /** What was said, in writing: by the language model where that was asked for; always where the encoder's units are letters. */
  text?: string
  /** By the units and tones that were heard, and by `text` where that was asked for. Not known where the units are letters. */
  language?: 'en' | 'zh'
  units: HeardUnit[]
  /** Mandarin only: syllables with tone digits, `ni3 hao3`; neutral is 5. */
  pinyin?: string
  /** Where the text comes from an encoder whose units are letters. */
  words?: HeardWord[]
  /** What was odd about the audio file, though it could be read: it is cut off, for instance. */
  warning?: string
}

/** A word that was heard, and when. */
export interface HeardWord {
  word: string
  /** Seconds from the start of the speech. */
  start: number
  end: number
}

/** What {@link Session.transcribe} returns. */
export interface Transcript extends Heard {
  text: string
  /** The utterances of a recording in order, where the model has a voice activity network. */
  segments?: Segment[]
}

/** An utterance. */
export interface Segment {
  /** Seconds from the start of the recording. */
  start: number
  end: number
  text: string
}

/** What {@link Session.features} returns. */
export interface Features {
  /** Frame after frame: [frames, size]. */
  data: Float32Array
  frames: number
  /** Numbers a frame: the encoder's hidden size. */
  size: number
  /** From one frame to the next; 0.02 in all published encoders. */
  frameSeconds: number
  /** What was odd about the audio file, though it could be read. */
  warning?: string
}

/** What goes into a reply and what comes out. */
export type Mode = `${'speech' | 'text'}-to-${'speech' | 'text'}`

/** What {@link Session.info} returns. */
export interface SessionInfo {
  /**
   * How the session comes from what it hears to what it says. `end-to-end`: one language model hears and speaks, no text in between (nano);
   * `cascade`: speech becomes text, the text is answered in writing, the answer is read aloud ({@link ModelParts}). An imported file alone
   * is named by what it is: `encoder`, `lm` or `voice`.
   */
  path: 'end-to-end' | 'cascade' | 'encoder' | 'lm' | 'voice'
  /** What {@link Session.generate} can do; none without a language model. */
  modes: readonly Mode[]
  /** Positions of the context that the conversation takes so far. */
  length: number
  /** Positions of the context; 0 without a language model. */
  nCtx: number
}

/** A piece of a reply. */
export interface ReplyChunk {
  /** Mono at `model.info().sampleRate`, in [-1, 1]. */
  audio?: Float32Array
  /** Units of what is spoken, a little ahead of the audio. */
  units?: string[]
  /** The next piece of the text. */
  text?: string
  /** First chunk of a reply to speech: what was heard. */
  heard?: Heard
  /** Last chunk of `generate`: why the reply ended. */
  finishReason?: FinishReason
}

/** A whole reply. */
export interface Reply {
  /** Mono at `sampleRate`; empty where no speech was asked for. */
  audio: Float32Array
  /** Hz. */
  sampleRate: number
  /** Of the audio. */
  seconds: number
  /** What was said or written; '' for `output: 'speech'`. */
  text: string
  /** The units that were spoken. */
  units: string[]
  /** BCP 47: `en` or `zh`; of an imported voice, its own. */
  language: string
  /** Why it ended: `stop`, the model came to its end; `noSpeech`, nobody spoke. All others say what cut it short. */
  finishReason: FinishReason
  /** For spoken input. */
  heard?: Heard
  /** How long the parts of the turn took. */
  timings: NativeTimings
}

/** What {@link Session.speak} makes. It is the whole text: `finishReason` is `stop`. */
export type Spoken = Omit<Reply, 'heard' | 'timings'>
