import type { Speech } from './audio.js'
import type { NativeTimings } from './binding.js'

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
  /** What was said, in writing, where that was asked for: by the language model. */
  text?: string
  /** Mandarin where tones were heard. Not known where the units are letters. */
  language?: 'en' | 'zh'
  units: HeardUnit[]
  /** Mandarin only: syllables with tone digits, `ni3 hao3`; neutral is 5. */
  pinyin?: string
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
  /** Where the text comes from an encoder whose units are letters. */
  words?: HeardWord[]
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
  language: 'en' | 'zh'
  /** For spoken input. */
  heard?: Heard
  /** How long the parts of the turn took. */
  timings: NativeTimings
}

/** What {@link Session.speak} makes. */
export type Spoken = Omit<Reply, 'heard' | 'timings' | 'language'> & {
  /** BCP 47. */
  language: string
}
