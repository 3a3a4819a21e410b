import { statSync } from 'node:fs'
import { InvalidArgumentError } from '../errors.js'
import { openGguf, type GgufFile } from './gguf.js'
import type { GgufTensor } from './gguf-tensor.js'
import { GgufWriter, type WrittenTensor } from './gguf-writer.js'
import { rowType, type TensorRole } from './storage.js'
import { elementsOf } from './tensor.js'
import { blockSize, type TensorType } from './weight-types.js'

/**
 * The requested types: for the matrices of a component under its name, for all other matrices under `default`, for
 * convolutions under `component.conv` and `conv`. Convolutions that are not named are not quantized.
 */
export type QuantizeTypes = Readonly<Record<string, TensorType>>

/** The changes of one component. */
export interface QuantizedComponent {
  readonly name: string
  readonly parameters: number
  /** The bytes of its tensors. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Types by the bytes they take, the largest first. */
  readonly types: TensorType[]
  /**
   * The root mean square of the rounding errors relative to that of the values, over all tensors whose type changed; 0
   * if there are none.
   */
  readonly relativeError: number
  /** The tensor with the largest error. */
  readonly worst?: { readonly name: string; readonly relativeError: number }
}

/** A tensor that did not get the requested type. */
export interface Exception {
  readonly name: string
  readonly type: TensorType
  readonly reason: string
}

export interface Quantized {
  readonly out: string
  /** The sizes of the files. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly components: QuantizedComponent[]
  /** Convolutions and tables that were not quantized. They keep their type, except that F32 convolutions become F16. */
  readonly exceptions: Exception[]
  /** Tensors whose rows are not whole blocks of the requested type. */
  readonly fallbacks: Exception[]
}

/** Names of convolutions (docs/internals/model-file.md); {@link INNER_MATRIX} matches the matrices among them. */
const CONVOLUTION =
  /^((frontend|tone)\.conv\.|tone\.tcn\.|encoder\.pos_conv\.|aligner\.down\.|(decoder|voice)\.(text\.blk\.\d+\.ffn_|duration\.|prosody\.|flow\.|gen\.|features\.)|generator\.)/
const INNER_MATRIX = /\.(cond|stats)\.weight$/
/**
 * Matrices that multiply voice vectors whose mean is folded into the bias: rounding errors would shift the voice. And
 * what reads phases, which would turn.
 */
const EXACT = /^((decoder|voice)\.(speaker|text\.style)|generator\.(source|noise_conv\.\d+))\.weight$/
const SMALLEST_MATRIX = 32
/** The types in which our kernels compute convolutions; others would be converted to F32 on loading. */
const CONVOLUTION_TYPES: readonly TensorType[] = ['f32', 'f16', 'bf16', 'q8_0']
/** llama.cpp's numbers for `general.file_type`. */
const FILE_TYPES: Record<TensorType, number> = {
  f32: 0, f16: 1, q4_0: 2, q4_1: 3, q8_0: 7, q5_0: 8, q5_1: 9, q2_k: 10, q3_k: 12, q4_k: 15, q5_k: 17, q6_k: 18, bf16: 32,
} // prettier-ignore

export function componentOf(name: string): string {
  return /^(vad|frontend|tone|encoder|endpoint|aligner|decoder|generator|voice)\./.exec(name)?.[1] ?? 'lm'
}

/** Copies a bundle or the file of a component with other types. Blocks: runs in the conversion thread. @internal */
export async function quantizeFile(
  path: string,
  out: string,
  types: QuantizeTypes,
  onProgress: (done: number, total: number, tensor: string) => void,
): Promise<Quantized> {
  const file = openGguf(path)
  try {
    const tensors = [...file.tensors.values()]
    checkTypes(types, new Set(tensors.map(({ name }) => componentOf(name))))
    const writer = new GgufWriter(out)
    writer.copyKeys(file).set('general.quantization_version', 2, 'u32')
    if (types.default !== undefined) writer.set('general.file_type', FILE_TYPES[types.default], 'u32')
    const exceptions: Exception[] = []
    const fallbacks: Exception[] = []
    for (const tensor of tensors) {
      const { name } = tensor
      const { type, kept, misfit } = chooseType(tensor, types)
      writer.add(name, tensor, type)
      if (kept !== undefined) exceptions.push({ name, type, reason: kept })
      if (misfit !== undefined) fallbacks.push({ name, type, reason: misfit })
    }
    const written = await writer.finish({ measure: true, onProgress })
    return {
      out,
      bytesBefore: statSync(path).size,
      bytesAfter: statSync(out).size,
      components: summarize(file, written),
      exceptions,
      fallbacks,
    }
  } finally {
    file.close()
  }
}

function checkTypes(types: QuantizeTypes, present: ReadonlySet<string>): void {
  for (const [key, type] of Object.entries(types)) {
    const component = key.replace(/\.?conv$/, '')
    if (component !== '' && component !== 'default' && !present.has(component)) {
      throw new InvalidArgumentError(`the file has no component ${component}; it has ${[...present].join(', ')}`, {
        option: 'type',
        component,
      })
    }
    if (/(^|\.)conv$/.test(key) && !CONVOLUTION_TYPES.includes(type)) {
      throw new InvalidArgumentError(`convolutions are ${CONVOLUTION_TYPES.join(', ')}, not ${type}`, {
        option: 'type',
      })
    }
  }
}

export function roleOf({ name, shape }: GgufTensor): TensorRole {
  if (shape.length < 2 || !name.endsWith('.weight') || EXACT.test(name)) return 'table'
  return CONVOLUTION.test(name) && !INNER_MATRIX.test(name) ? 'conv' : 'matrix'
}

interface Choice {
  type: TensorType
  /** Why the tensor is not quantized as requested. */
  kept?: string
  /** Why the tensor has another type than the requested one. */
  misfit?: string
}

function chooseType(tensor: GgufTensor, types: QuantizeTypes): Choice {
  const component = componentOf(tensor.name)
  const role = roleOf(tensor)
  const general = types[component] ?? types.default
  const convolutions = role === 'conv' ? (types[`${component}.conv`] ?? types.conv) : undefined
  const wanted = convolutions ?? general
  if (wanted === undefined || wanted === tensor.type) return { type: tensor.type }
  if (role === 'table') return { type: tensor.type, kept: 'a table, read as it is' }
  if (blockSize(wanted) === 1) return { type: wanted }
  const unquantized = tensor.type === 'f32' ? 'f16' : tensor.type
  if (role === 'conv' && !convolutions) return { type: unquantized, kept: 'a convolution, for which no type was given' }
  const row = tensor.shape.at(-1) ?? 1
  const [rows = 1] = tensor.shape
  if (role === 'matrix' && rows < SMALLEST_MATRIX && blockSize(tensor.type) === 1) {
    return { type: tensor.type, misfit: `only ${rows} rows` }
  }
  const type = rowType(row, wanted, unquantized)
  return type === wanted ? { type } : { type, misfit: `rows of ${row} are no multiple of ${blockSize(wanted)}` }
}

function summarize(file: GgufFile, written: readonly WrittenTensor[]): QuantizedComponent[] {
  const names = [...new Set(written.map(({ name }) => componentOf(name)))]
  return names.map(name => {
    const own = written.filter(tensor => componentOf(tensor.name) === name)
    const sum = (of: (tensor: WrittenTensor) => number): number => own.reduce((total, tensor) => total + of(tensor), 0)
    const bytes = new Map<TensorType, number>()
    for (const tensor of own) bytes.set(tensor.type, (bytes.get(tensor.type) ?? 0) + tensor.bytes)
    const [worst] = own
      .map(tensor => ({ name: tensor.name, relativeError: relative(tensor.error, tensor.energy) }))
      .sort((a, b) => b.relativeError - a.relativeError)
    return {
      name,
      parameters: sum(({ shape }) => elementsOf(shape)),
      bytesBefore: sum(tensor => file.tensors.get(tensor.name)?.bytes ?? 0),
      bytesAfter: sum(tensor => tensor.bytes),
      types: [...bytes].sort((a, b) => b[1] - a[1]).map(([type]) => type),
      relativeError: relative(
        sum(tensor => tensor.error ?? 0),
        sum(tensor => tensor.energy ?? 0),
      ),
      ...(worst && worst.relativeError > 0 && { worst }),
    }
  })
}

function relative(error = 0, energy = 0): number {
  return energy > 0 ? Math.sqrt(error / energy) : 0
}
