import type { Converted } from './index.js'
import type { Quantized, QuantizeTypes } from './quantize.js'
import type { Pruned, PruneInput, PruneProgress } from '../prune/job.js'
import type { WeightType } from './weight-types.js'

/** The jobs of the conversion thread: input, output and progress messages of each, all structured-cloneable. */
export interface Jobs {
  convert: { input: { path: string; out: string; type: WeightType }; output: Converted; progress: TensorProgress }
  quantize: { input: { path: string; out: string; types: QuantizeTypes }; output: Quantized; progress: TensorProgress }
  prune: { input: PruneInput; output: Pruned; progress: PruneProgress }
}

export type JobName = keyof Jobs

export interface Job {
  name: JobName
  input: Jobs[JobName]['input']
}

/** The numbers of values that are done and in total, and the current tensor. */
export interface TensorProgress {
  done: number
  total: number
  tensor: string
}

export type Message =
  | { progress: unknown }
  | { output: unknown }
  | { error: { message: string; code: string; details: Readonly<Record<string, unknown>> } }
