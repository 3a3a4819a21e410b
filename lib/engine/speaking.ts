import type { SpokenInput } from './engine.js'
import type { NativeUnitProsody } from '../binding.js'
import { InvalidArgumentError } from '../errors.js'
import type { Prosody } from '../text/marks.js'
import { isTone, type Script, type Tone, type Utterance } from '../text/speech.js'
import { idsOfUnits } from '../text/units.js'
import type { Phonemizer, VoiceUtterance } from '../text/voice.js'
import { textThread } from '../worker/offload.js'
import type { ModelInfo } from './weights.js'

/*
 * Splits a text or SSML into the sentences and tones that a voice speaks one after the other.
 */

/** A sentence: unit ids for a decoder, or ids and symbols for an imported voice. */
export interface Sentence {
  text: string
  ids: Int32Array
  symbols?: string[]
  /** The voice, if the SSML names one. */
  voice?: number
  prosody?: NativeUnitProsody
}

export { isTone, type Tone }

/** The file that speaks. */
export interface SpeakingFile {
  readonly info: ModelInfo
  /** For an imported voice, how text becomes its ids (text/voice-text.ts); else ''. */
  readonly voiceText: string
}

function arrays(prosody: readonly Prosody[]): NativeUnitProsody {
  return {
    speeds: Float32Array.from(prosody, p => p.speed),
    pitches: Float32Array.from(prosody, p => p.pitch),
    gains: Float32Array.from(prosody, p => p.gain),
  }
}

function sentenceOf(utterance: Utterance, ids: Int32Array): Sentence {
  const { text, voice, prosody } = utterance
  return { text, ids, ...(voice !== undefined && { voice }), ...(prosody && { prosody: arrays(prosody) }) }
}

/** @throws {@link InvalidArgumentError} if nothing in it can be read or the SSML is invalid; {@link UnsupportedError} */
export async function sentencesOf(
  input: SpokenInput,
  { info, voiceText }: SpeakingFile,
  { phonemizer, pronunciations }: { phonemizer: Phonemizer; pronunciations: string },
  signal: AbortSignal | undefined,
): Promise<(Sentence | Tone)[]> {
  const script: Script = {
    text: input.ssml ?? input.text,
    isSsml: input.ssml !== undefined,
    pronunciations,
    voices: info.voices,
  }
  if (voiceText === '') {
    const parts = await textThread.run('textToUnits', script, { signal })
    return parts.map(part => (isTone(part) ? part : sentenceOf(part, idsOfUnits(part.symbols.join(''), info.units))))
  }
  const parts = await textThread.run('textToVoice', { script, voice: voiceText, phonemizer }, { signal })
  const spoken = (part: VoiceUtterance): Sentence => ({ ...sentenceOf(part, part.ids), symbols: part.symbols })
  return parts.map(part => (isTone(part) ? part : spoken(part)))
}

/** Ignores the error about a sentence in which there is nothing that this voice can read. */
export function nothingToSay(thrown: unknown): [] {
  if (thrown instanceof InvalidArgumentError && thrown.details.option === 'text') return []
  throw thrown
}

const LOUDNESS = 0.2
const FADE = 0.01 // seconds

/** The samples of a tone or a silence, at most a second at a time. */
export function* toneSamples({ seconds, frequency }: Tone, sampleRate: number): Generator<Float32Array> {
  const count = Math.round(seconds * sampleRate)
  for (let start = 0; start < count; start += sampleRate) {
    const samples = new Float32Array(Math.min(sampleRate, count - start))
    if (frequency > 0) {
      for (let i = 0; i < samples.length; i++) {
        const at = start + i
        const edge = Math.min(1, Math.min(at, count - 1 - at) / (FADE * sampleRate))
        samples[i] = LOUDNESS * edge * Math.sin((2 * Math.PI * frequency * at) / sampleRate)
      }
    }
    yield samples
  }
}

/** The text of an SSML document. A long sentence is spoken in several parts that all have its text, so repeats are dropped. */
export function writtenOf(parts: readonly (Sentence | Tone)[]): string {
  const texts = parts.flatMap(part => (isTone(part) ? [] : [part.text]))
  return texts.filter((text, i) => text !== texts[i - 1]).join(' ')
}
