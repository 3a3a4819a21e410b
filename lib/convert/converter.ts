import type { GgufWriter } from './gguf-writer.js'
import type { Source } from './source.js'
import type { WeightType } from './weight-types.js'

/**
 * Converts one family of checkpoints to GGUF. Runs in a worker thread, so that it may block.
 *
 * `convert` only declares: keys with `to.set`, tensors with `to.add(name, tensor, storageType(role, shape,
 * options.type))`. The tensors are read one at a time after it has returned.
 */
export interface Converter {
  /** The name of the family for messages: `Piper voice`. */
  readonly name: string
  /** The files that it needs, for the message about an unknown source: `an .onnx file with its .onnx.json`. */
  readonly takes: string
  /** Whether this is a checkpoint of the family, by its config or graph. `convert` checks whether it is well-formed. */
  detect(source: Source): boolean
  /**
   * @throws ModelFormatError for a checkpoint that contradicts its own config; UnsupportedError for a variant that is
   * not implemented.
   */
  convert(source: Source, to: GgufWriter, options: ConvertOptions): Promise<void>
}

export interface ConvertOptions {
  readonly type: WeightType
}
