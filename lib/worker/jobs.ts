import type { AudioSource, DecodedAudio } from '../audio/decode.js'
import type { ChatMessage } from '../text/chat.js'
import type { Script, Tone, Utterance } from '../text/speech.js'
import type { Phonemizer, VoiceUtterance } from '../text/voice.js'

/** The jobs of the worker threads, with the input and output of each. Both must be structured-cloneable. */
export interface Jobs {
  /** An encoded file or its bytes → mono samples at 16 kHz. */
  decodeAudio: { input: { source: AudioSource; maxSeconds: number }; output: DecodedAudio }
  /** Mono samples from one rate to another. */
  resample: { input: { samples: Float32Array; from: number; to: number }; output: Float32Array }
  /** The SHA-256 of a file, in hexadecimal digits. */
  hashFile: { input: { path: string }; output: string }
  /** Makes a tokenizer under `key` from the JSON text of a Hugging Face `tokenizer.json`. */
  loadTokenizer: { input: { key: number; json: string }; output: undefined }
  /** Makes the tokenizer and the chat template of an imported language model's file under `key`; returns the ids that end a reply. */
  loadChat: { input: { key: number; path: string }; output: Int32Array<ArrayBuffer> }
  /** Formats and tokenizes a conversation up to the beginning of the reply. */
  chatPrompt: { input: { key: number; messages: ChatMessage[]; thinking: boolean }; output: Int32Array<ArrayBuffer> }
  freeTokenizer: { input: { key: number }; output: undefined }
  encodeText: { input: { key: number; text: string }; output: Int32Array<ArrayBuffer> }
  decodeText: { input: { key: number; ids: Int32Array }; output: string }
  /** Converts a text or SSML to the units that are spoken. */
  textToUnits: { input: Script; output: (Utterance | Tone)[] }
  /** The same for an imported voice, in ids according to its rules (text/voice-text.ts, JSON). */
  textToVoice: {
    input: { script: Script; voice: string; phonemizer: Phonemizer }
    output: (VoiceUtterance | Tone)[]
  }
}

export type JobName = keyof Jobs

export interface Job {
  id: number
  name: JobName
  input: Jobs[JobName]['input']
}

export interface Answer {
  id: number
  output?: unknown
  error?: { message: string; code: string; details: Readonly<Record<string, unknown>> }
}
