import type { NativeModelInfo } from '../binding.js'
import type { SessionOptions } from '../options.js'
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

/** A loaded model: one file, or several as one model. */
export interface Weights {
  readonly info: ModelInfo
  /** For an imported voice, how text becomes its ids (text/voice-text.ts); else ''. */
  readonly voiceText: string
  /** @throws {@link UnsupportedError}, {@link OutOfMemoryError} */
  open(options: SessionOptions): Engine
  /** @throws {@link UnsupportedError} there is no voice activity network; {@link OutOfMemoryError} */
  detector(): Promise<SpeechDetector>
  dispose(): Promise<void>
}
