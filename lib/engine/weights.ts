import type { NativeModelInfo } from '../binding.js'
import type { SessionOptions } from '../options.js'
import type { Turn } from './conversation.js'
import type { Engine, PartName } from './engine.js'
import type { SpeechDetector } from './speech-detector.js'

/** Properties and abilities of a model. */
export interface ModelInfo extends Readonly<
  Omit<NativeModelInfo, 'tokenizer' | 'specialTokens' | 'voiceText' | 'vadWindow'>
> {
  /** The path that it was loaded from; '' for a composed model. */
  readonly path: string
  /** The parts of a composed model. */
  readonly parts?: Readonly<Partial<Record<PartName, ModelInfo>>>
}

/** Whether a model has a network of that name, such as `lm` or `aligner`. */
export function hasNetwork(info: ModelInfo, name: string): boolean {
  return info.components.some(component => component.name === name)
}

/** The units of the language model's replies; undefined if it reads and writes text only. */
export function unitsOfReplies(info: ModelInfo): readonly string[] | undefined {
  const lm = info.parts ? undefined : info
  return lm?.architecture === 'moss-speech' ? lm.units : undefined
}

/** How a session is opened. */
export interface Opening extends Omit<SessionOptions, 'history'> {
  /** Turns that took place elsewhere. */
  turns?: readonly Turn[]
}

/** A loaded model: one file, or several as one model. */
export interface Weights {
  readonly info: ModelInfo
  /** For an imported voice, how text becomes its ids (text/voice-text.ts); else ''. */
  readonly voiceText: string
  /** @throws {@link UnsupportedError}, {@link OutOfMemoryError} */
  open(opening: Opening): Engine
  /** The SHA-256 of each part's file; of a single file under the name `model`. @throws {@link FileError} */
  hashes(): Promise<Readonly<Record<string, string>>>
  /** @throws {@link UnsupportedError} there is no voice activity network; {@link OutOfMemoryError} */
  detector(): Promise<SpeechDetector>
  dispose(): Promise<void>
}
