import type { Speech } from './audio.js'
import type { FinishReason, NativeTimings } from './binding.js'

/** Text that arrives in pieces, such as the tokens of another program's language model. */
export type TextStream = AsyncIterable<string> | Iterable<string>

/** The input of a turn: either speech or text. */
export type Prompt = { speech: Speech; text?: undefined } | { text: string | TextStream; speech?: undefined }

/** A unit that was heard, and its time. */
export interface HeardUnit {
  /** A symbol of `model.info().units`: a phoneme, a tone, a stress mark, a word boundary or a pause; of imported encoders mostly letters. */
  unit: string
  /** Seconds from the start of the speech. */
  start: number
  end: number
}

/** The encoder's phonetic transcript of speech. */
export interface Heard {
  /** Nobody speaks in the recording: it is silence, noise or a tone. The other fields are then empty. */
  noSpeech?: true
  /**
   * The text of what was said: by the language model if `transcribe` was set; always if the encoder's units are
   * letters.
   */
  text?: string
  /**
   * Detected from the units and tones that were heard, and from `text` if there is one. Unknown if the units are
   * letters.
   */
  language?: 'en' | 'zh'
  units: HeardUnit[]
  /** Mandarin only: syllables with tone digits, `ni3 hao3`; neutral is 5. */
  pinyin?: string
  /** Only if the text comes from an encoder whose units are letters. */
  words?: HeardWord[]
  /** A defect of an audio file that could nevertheless be read, for instance that it is cut off. */
  warning?: string
}

/** A word that was heard, and its time. */
export interface HeardWord {
  word: string
  /** Seconds from the start of the speech. */
  start: number
  end: number
}

/** What {@link Session.transcribe} returns. */
export interface Transcript extends Heard {
  text: string
  /** The utterances of the recording in order, if the model has a voice activity network. */
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
  /** The frames in order: [frames, size]. */
  data: Float32Array
  frames: number
  /** The number of values in a frame: the encoder's hidden size. */
  size: number
  /** The time from one frame to the next; 0.02 in all published encoders. */
  frameSeconds: number
  /** A defect of an audio file that could nevertheless be read. */
  warning?: string
}

/** The input and output of a reply. */
export type Mode = `${'speech' | 'text'}-to-${'speech' | 'text'}`

/** What {@link Session.info} returns. */
export interface SessionInfo {
  /**
   * How the session gets from input to output. `end-to-end`: one language model takes and produces speech, with no text
   * in between (nano); `cascade`: speech is transcribed, the text is answered in writing, and the answer is read aloud
   * ({@link ModelParts}). For a single imported file, its kind: `encoder`, `lm` or `voice`.
   */
  path: 'end-to-end' | 'cascade' | 'encoder' | 'lm' | 'voice'
  /** What {@link Session.generate} can do; none without a language model. */
  modes: readonly Mode[]
  /** The positions of the context that the conversation takes so far. */
  length: number
  /** The positions of the whole context; 0 without a language model. */
  nCtx: number
}

/** A piece of a reply. */
export interface ReplyChunk {
  /** Mono at `model.info().sampleRate`, in [-1, 1]. */
  audio?: Float32Array
  /** The units that are spoken, a little ahead of the audio. */
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
  /** Mono at `sampleRate`; empty unless speech was requested. */
  audio: Float32Array
  /** Hz. */
  sampleRate: number
  /** The length of the audio. */
  seconds: number
  /** The text of the reply; '' for `output: 'speech'`. */
  text: string
  /** The units that were spoken. */
  units: string[]
  /** BCP 47: `en` or `zh`, or the language of an imported voice. */
  language: string
  /** Why the reply ended: `stop`, the model finished it; `noSpeech`, nobody spoke. All others say what cut it short. */
  finishReason: FinishReason
  /** What was heard, for spoken input. */
  heard?: Heard
  /** How many old turns the conversation has lost so that this one fits the context (`contextOverflow`). Missing if none. */
  dropped?: number
  /** How long the parts of the turn took. */
  timings: NativeTimings
}

/** What {@link Session.speak} returns. `finishReason` is always `stop`, because the whole text is read. */
export type Spoken = Omit<Reply, 'heard' | 'dropped' | 'timings'>
