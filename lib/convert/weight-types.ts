/** ggml's types by name: number in GGUF files, values in a block, bytes of a block. */
const TYPES = {
  f32: [0, 1, 4],
  f16: [1, 1, 2],
  q4_0: [2, 32, 18],
  q4_1: [3, 32, 20],
  q5_0: [6, 32, 22],
  q5_1: [7, 32, 24],
  q8_0: [8, 32, 34],
  q2_k: [10, 256, 84],
  q3_k: [11, 256, 110],
  q4_k: [12, 256, 144],
  q5_k: [13, 256, 176],
  q6_k: [14, 256, 210],
  bf16: [30, 1, 2],
} as const

/** A type in which our files may hold weights. */
export type TensorType = keyof typeof TYPES

/** The types that `convert` offers; `quantize` offers all. */
export type WeightType = 'q8_0' | 'f16' | 'bf16' | 'f32'

export const TENSOR_TYPES = Object.keys(TYPES) as TensorType[]
export const WEIGHT_TYPES: readonly WeightType[] = ['q8_0', 'f16', 'bf16', 'f32']

export const typeId = (type: TensorType): number => TYPES[type][0]
/** The number of values in a block: rows must be whole blocks. */
export const blockSize = (type: TensorType): number => TYPES[type][1]
/** The bytes of `elements` values, which must be whole blocks. */
export const bytesOf = (type: TensorType, elements: number): number => (elements / TYPES[type][1]) * TYPES[type][2]

export function typeOfId(id: number): TensorType | undefined {
  return TENSOR_TYPES.find(type => TYPES[type][0] === id)
}
