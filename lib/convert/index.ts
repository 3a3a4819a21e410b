import { UnsupportedError } from '../errors.js'
import { llama, qwen3 } from './causal-lm.js'
import type { Converter } from './converter.js'
import { GgufWriter, type WrittenTensor } from './gguf-writer.js'
import { hfVits } from './hf-vits.js'
import { piper } from './piper.js'
import { openSource, type Source } from './source.js'
import { wav2vec2 } from './wav2vec2.js'
import type { WeightType } from './weight-types.js'

/** The supported families, in the order in which they are tried. A new family is added here. */
export const CONVERTERS: readonly Converter[] = [qwen3, llama, wav2vec2, piper, hfVits]

/** The result of a conversion. */
export interface Converted {
  /** The name of the converter. */
  readonly family: string
  readonly out: string
  readonly tensors: WrittenTensor[]
}

/** Converts one file or folder to one GGUF file. Blocks: {@link "convert".convert} runs it in a worker thread. @internal */
export async function convertSource(
  path: string,
  out: string,
  type: WeightType,
  onProgress: (done: number, total: number, tensor: string) => void,
  converters: readonly Converter[] = CONVERTERS,
): Promise<Converted> {
  const source = openSource(path)
  try {
    const converter = converters.find(candidate => candidate.detect(source))
    if (!converter) throw unknown(source, converters)
    const writer = new GgufWriter(out)
    await converter.convert(source, writer, { type })
    return { family: converter.name, out, tensors: await writer.finish({ onProgress }) }
  } finally {
    source.close()
  }
}

function unknown(source: Source, converters: readonly Converter[]): UnsupportedError {
  const known = converters.map(({ name, takes }) => `\n  ${name}: ${takes}`).join('')
  return new UnsupportedError(
    `${source.path} is of no supported family (found: ${describe(source)}). Supported:${known}`,
    {
      path: source.path,
      kind: source.kind,
    },
  )
}

/** A description of the source for messages. */
function describe({ kind, config, onnx, gguf, tensors }: Source): string {
  const { architectures, model_type: type } = (config ?? {}) as { architectures?: unknown; model_type?: unknown }
  const parts: unknown[] = [
    { safetensors: 'a safetensors checkpoint', onnx: 'an ONNX graph', gguf: 'a GGUF file' }[kind],
    `${tensors.size} tensors`,
    config === undefined && kind !== 'gguf' && 'no config',
    Array.isArray(architectures) && `architectures ${architectures.join(', ')}`,
    typeof type === 'string' && `model_type ${type}`,
    onnx &&
      `written by ${onnx.producer || 'an unknown program'}, inputs ${onnx.inputs.map(input => input.name).join(', ')}`,
    gguf && `general.architecture ${gguf.text('general.architecture') || 'missing'}`,
  ]
  return parts.filter(Boolean).join(', ')
}
