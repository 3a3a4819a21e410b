import type { NativeModelInfo } from '../binding.js'
import type { SessionOptions } from '../options.js'
import type { Engine, PartName } from './engine.js'

/** What a model is and can do. */
export interface ModelInfo extends Readonly<Omit<NativeModelInfo, 'tokenizer' | 'specialTokens' | 'voiceText'>> {
  /** Where it was loaded from; '' for a composed model. */
  readonly path: string
  /** Of a composed model: what it was composed of. */
  readonly parts?: Readonly<Partial<Record<PartName, ModelInfo>>>
}

/** Whether a model has a network of that name, such as `lm` or `aligner`. */
export function hasNetwork(info: ModelInfo, name: string): boolean {
  return info.components.some(component => component.name === name)
}

/** What is loaded. */
export interface Weights {
  readonly info: ModelInfo
  /** Of an imported voice: how text becomes its units (text/voice-text.ts); else ''. */
  readonly voiceText: string
  /** @throws {@link UnsupportedError}, {@link OutOfMemoryError} */
  open(options: SessionOptions): Engine
  dispose(): Promise<void>
}
