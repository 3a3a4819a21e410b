import type { Converted } from './index.js'
import type { Quantized, QuantizeTypes } from './quantize.js'
import type { WeightType } from './weight-types.js'

/** What the conversion thread can do: each job's input and output, both structured-cloneable. */
export interface Jobs {
  convert: { input: { path: string; out: string; type: WeightType }; output: Converted }
  quantize: { input: { path: string; out: string; types: QuantizeTypes }; output: Quantized }
}

export type JobName = keyof Jobs

export interface Job {
  name: JobName
  input: Jobs[JobName]['input']
}

/** Values done and to be done, and the tensor at work. */
export interface TensorProgress {
  done: number
  total: number
  tensor: string
}

export type Message =
  | { progress: TensorProgress }
  | { output: unknown }
  | { error: { message: string; code: string; details: Readonly<Record<string, unknown>> } }
