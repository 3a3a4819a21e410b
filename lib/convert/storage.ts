import { blockSize, type TensorType, type WeightType } from './weight-types.js'

/**
 * What a tensor is to the network that reads it: a matrix (linear layer, embedding) or a robust convolution may be quantized, another
 * convolution is not, a table (bias, norm, codebook) is small and stays exact.
 */
export type TensorRole = 'matrix' | 'robust-conv' | 'conv' | 'table'

/**
 * The type in which a tensor is stored when the weights are to be `type`, as training/export/bundle.py has it: tables F32; convolutions
 * F16, or what was asked for where that is BF16 or F32; matrices and robust convolutions as asked for, but Q8_0 only with 32 rows or more
 * (else F32; a convolution F16) and rows of a multiple of 32 (else F16).
 *
 * @param shape - as PyTorch has it: [out, in]
 */
export function storageType(role: TensorRole, shape: readonly number[], type: WeightType): TensorType {
  if (role === 'table' || type === 'f32') return 'f32'
  if (type !== 'q8_0') return type
  if (role === 'conv') return 'f16'
  if ((shape[0] ?? 1) < 32) return role === 'matrix' ? 'f32' : 'f16'
  return (shape.at(-1) ?? 1) % blockSize('q8_0') === 0 ? 'q8_0' : 'f16'
}

/** For rows that are no multiple of 256: the type of 32 with no fewer bits. */
const SMALLER_BLOCKS: Partial<Record<TensorType, TensorType>> = {
  q2_k: 'q4_0',
  q3_k: 'q4_0',
  q4_k: 'q5_0',
  q5_k: 'q5_1',
  q6_k: 'q8_0',
}

/** The type for rows of so many values: as wanted where they fit its blocks, else of smaller blocks, else `unquantized`. */
export function rowType(row: number, wanted: TensorType, unquantized: TensorType): TensorType {
  const smaller = SMALLER_BLOCKS[wanted]
  return [wanted, ...(smaller ? [smaller] : [])].find(type => row % blockSize(type) === 0) ?? unquantized
}
