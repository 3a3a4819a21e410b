import { ModelFormatError } from '../errors.js'
import type { TensorType } from './weight-types.js'

/** A named tensor of a checkpoint. Its values are read on demand. */
export interface SourceTensor {
  readonly name: string
  /** In PyTorch's order: the last dimension is contiguous. `[]` is a scalar. */
  readonly shape: readonly number[]
  /** The type in the file, in upper case: `F32`, `BF16`, `I64`, `Q8_0`. */
  readonly dtype: string
  /** Reads all values as 32-bit floats, row by row. The values are not cached, so that the array can be freed after use. */
  read(): Promise<Float32Array>
  /** The bytes of the tensor in that type; undefined if the values would have to be rounded. */
  readAs?(type: TensorType): Uint8Array | undefined
}

export const elementsOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)

export const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`

/**
 * Returns the tensor of that name and shape; -1 stands for any size.
 *
 * @throws {@link ModelFormatError} names the tensor, what was expected and what was found.
 */
export function requireTensor(
  tensors: ReadonlyMap<string, SourceTensor>,
  name: string,
  shape?: readonly number[],
): SourceTensor {
  const tensor = tensors.get(name)
  const expected = shape ? `shape ${shapeText(shape).replaceAll('-1', '*')}` : 'a tensor'
  const fits = tensor && (!shape || sameShape(shape, tensor.shape))
  if (fits) return tensor
  const found = tensor ? `shape ${shapeText(tensor.shape)}` : 'no such tensor'
  throw new ModelFormatError(`${name}: expected ${expected}, found ${found}`, { name, expected, found })
}

function sameShape(wanted: readonly number[], found: readonly number[]): boolean {
  return wanted.length === found.length && wanted.every((n, i) => n === -1 || n === found[i])
}

/** A tensor of given values, or of values that are computed when it is read. */
export function tensorOf(
  name: string,
  shape: readonly number[],
  values: Float32Array | (() => Promise<Float32Array>),
): SourceTensor {
  return { name, shape, dtype: 'F32', read: values instanceof Float32Array ? () => Promise.resolve(values) : values }
}

/** The same values with another shape. */
export function reshape(tensor: SourceTensor, shape: readonly number[]): SourceTensor {
  if (elementsOf(shape) !== elementsOf(tensor.shape)) throw misshapen(tensor, `as many values as ${shapeText(shape)}`)
  return { name: tensor.name, shape, dtype: tensor.dtype, read: () => tensor.read() }
}

/** Reorders the dimensions, like PyTorch's `permute`. */
export function permute(tensor: SourceTensor, order: readonly number[]): SourceTensor {
  const { shape } = tensor
  if (order.length !== shape.length || [...order].sort((a, b) => a - b).some((n, i) => n !== i)) {
    throw misshapen(tensor, `${order.length} dimensions`)
  }
  return tensorOf(
    tensor.name,
    order.map(d => shape[d] ?? 1),
    async () => permuted(await tensor.read(), shape, order),
  )
}

function permuted(from: Float32Array, shape: readonly number[], order: readonly number[]): Float32Array {
  const strides = shape.map((_, d) => elementsOf(shape.slice(d + 1)))
  const sizes = order.map(d => shape[d] ?? 1)
  const steps = order.map(d => strides[d] ?? 1)
  const to = new Float32Array(from.length)
  const innermost = sizes.length - 1
  const [size = 1, step = 1] = [sizes[innermost], steps[innermost]]
  const index = sizes.map(() => 0)
  for (let at = 0, offset = 0; at < to.length;) {
    for (let i = 0, source = offset; i < size; i++, source += step) to[at++] = from[source] ?? 0
    // Advances to the next row by incrementing the indices of the other dimensions, with carry.
    for (let d = innermost - 1; d >= 0; d--) {
      index[d] = (index[d] ?? 0) + 1
      offset += steps[d] ?? 0
      if ((index[d] ?? 0) < (sizes[d] ?? 1)) break
      offset -= (sizes[d] ?? 1) * (steps[d] ?? 0)
      index[d] = 0
    }
  }
  return to
}

/**
 * The weight of a convolution in the layout of our files: [out, in / groups, kernel] → [out, kernel · in / groups],
 * input channel fastest.
 */
export function convWeight(tensor: SourceTensor): SourceTensor {
  const [out = 0, inputs = 0, kernel = 0] = threeDimensions(tensor)
  return reshape(permute(tensor, [0, 2, 1]), [out, kernel * inputs])
}

/**
 * The weight of a transposed convolution in the layout of our files: [in, out, kernel] → [out, kernel · in], input
 * channel fastest.
 */
export function transposedConvWeight(tensor: SourceTensor): SourceTensor {
  const [inputs = 0, out = 0, kernel = 0] = threeDimensions(tensor)
  return reshape(permute(tensor, [1, 2, 0]), [out, kernel * inputs])
}

function threeDimensions(tensor: SourceTensor): readonly number[] {
  if (tensor.shape.length !== 3) throw misshapen(tensor, 'a convolution’s three dimensions')
  return tensor.shape
}

/** The names of g and v in PyTorch's two implementations of weight normalization. */
const WEIGHT_NORM = [
  ['weight_g', 'weight_v'],
  ['parametrizations.weight.original0', 'parametrizations.weight.original1'],
] as const

/**
 * The weight of a layer: `prefix.weight`, or, with weight normalization, g · v / ‖v‖, with one norm for each value of
 * g.
 *
 * @throws {@link ModelFormatError} there is neither, or the shapes of g and v do not match.
 */
export function foldedWeight(tensors: ReadonlyMap<string, SourceTensor>, prefix: string): SourceTensor {
  const name = `${prefix}.weight`
  const plain = tensors.get(name)
  if (plain) return plain
  for (const [g, v] of WEIGHT_NORM) {
    if (tensors.has(`${prefix}.${v}`)) {
      return foldWeightNorm(name, requireTensor(tensors, `${prefix}.${g}`), requireTensor(tensors, `${prefix}.${v}`))
    }
  }
  return requireTensor(tensors, name)
}

/**
 * g · v / ‖v‖ (Salimans & Kingma, 2016). g is a scalar, or has the shape of v with some dimensions 1; there is one norm
 * for each value of g.
 */
export function foldWeightNorm(name: string, g: SourceTensor, v: SourceTensor): SourceTensor {
  const kept = g.shape.findIndex(n => n !== 1)
  const fits =
    elementsOf(g.shape) === 1 ||
    (g.shape.length === v.shape.length && g.shape.every((n, d) => n === (d === kept ? v.shape[d] : 1)))
  if (!fits) throw misshapen(g, `${shapeText(v.shape)} with ones but for one dimension`)
  const inner = kept < 0 ? 1 : elementsOf(v.shape.slice(kept + 1))
  return tensorOf(name, v.shape, async () => {
    const [scale, values] = [await g.read(), await v.read()]
    const groupOf = (i: number): number => Math.floor(i / inner) % scale.length
    const squares = new Float64Array(scale.length)
    for (let i = 0; i < values.length; i++) squares[groupOf(i)]! += (values[i] ?? 0) ** 2
    const factors = squares.map((sum, i) => (sum > 0 ? (scale[i] ?? 0) / Math.sqrt(sum) : 0))
    return values.map((value, i) => value * (factors[groupOf(i)] ?? 0))
  })
}

function misshapen(tensor: SourceTensor, expected: string): ModelFormatError {
  const found = `shape ${shapeText(tensor.shape)}`
  return new ModelFormatError(`${tensor.name}: expected ${expected}, found ${found}`, {
    name: tensor.name,
    expected,
    found,
  })
}
