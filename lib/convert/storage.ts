import { blockSize, type TensorType, type WeightType } from './weight-types.js'

/**
 * The role of a tensor in its network. Matrices (linear layers, embeddings) and robust convolutions may be quantized;
 * other convolutions are not; tables (biases, norms, codebooks) are small and stay F32.
 */
export type TensorRole = 'matrix' | 'robust-conv' | 'conv' | 'table'

/**
 * The type in which a tensor is stored if `type` is requested, by the same rules as training/export/bundle.py. Tables are
 * F32. Convolutions are F16, or `type` if that is BF16 or F32. Matrices and robust convolutions are of `type`, but Q8_0
 * needs at least 32 rows (otherwise F32, or F16 for a convolution), whose length is a multiple of 32 (otherwise F16).
 *
 * @param shape - in PyTorch's order: [out, in]
 */
export function storageType(role: TensorRole, shape: readonly number[], type: WeightType): TensorType {
  if (role === 'table' || type === 'f32') return 'f32'
  if (type !== 'q8_0') return type
  if (role === 'conv') return 'f16'
  if ((shape[0] ?? 1) < 32) return role === 'matrix' ? 'f32' : 'f16'
  return (shape.at(-1) ?? 1) % blockSize('q8_0') === 0 ? 'q8_0' : 'f16'
}

/** For rows that are not a multiple of 256: the type with blocks of 32 and at least as many bits. */
const SMALLER_BLOCKS: Partial<Record<TensorType, TensorType>> = {
  q2_k: 'q4_0',
  q3_k: 'q4_0',
  q4_k: 'q5_0',
  q5_k: 'q5_1',
  q6_k: 'q8_0',
}

/**
 * The type for rows of `row` values: `wanted` if they are whole blocks of it, otherwise a type with smaller blocks,
 * otherwise `unquantized`.
 */
export function rowType(row: number, wanted: TensorType, unquantized: TensorType): TensorType {
  const smaller = SMALLER_BLOCKS[wanted]
  return [wanted, ...(smaller ? [smaller] : [])].find(type => row % blockSize(type) === 0) ?? unquantized
}
