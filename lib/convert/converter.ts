import type { GgufWriter } from './gguf-writer.js'
import type { Source } from './source.js'
import type { WeightType } from './weight-types.js'

/**
 * Makes a GGUF file of one family of checkpoints. It runs in a worker thread: it may block.
 *
 * `convert` only declares: keys with `to.set`, tensors with `to.add(name, tensor, storageType(role, shape, options.type))`. The tensors
 * are read, one at a time, when it has returned.
 */
export interface Converter {
  /** For people: `Piper voice`. */
  readonly name: string
  /** What it takes, for the list that an unknown source is answered with: `an .onnx file with its .onnx.json`. */
  readonly takes: string
  /** Whether this is such a checkpoint, by its config or its graph; whether it is sound is checked by `convert`. */
  detect(source: Source): boolean
  /** @throws ModelFormatError for a checkpoint that does not fit its own config; UnsupportedError for a variant that is not implemented. */
  convert(source: Source, to: GgufWriter, options: ConvertOptions): Promise<void>
}

export interface ConvertOptions {
  readonly type: WeightType
}
