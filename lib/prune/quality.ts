import type { NativeDifference, NativeExercise, NativeModel, NativeNetwork } from '../binding.js'

/** The quality of a pruned encoder compared to the unchanged one, on the held-out pieces. */
export interface EncoderQuality {
  readonly pieces: number
  /** The number of frames, usually of 20 ms. */
  readonly frames: number
  /** The cosine similarity of the hidden states, averaged over the frames; 1 before pruning. */
  readonly cosine: number
  /** The number of units (sounds, letters) that the CTC head of the unchanged encoder outputs. 0 without a head. */
  readonly units: number
  /** The edit distance from these to the units of the pruned encoder, divided by their number; 0 before pruning. */
  readonly disagreement: number
}

/** The predictions of a language model before and after pruning, on the held-out pieces. */
export interface LanguageModelQuality {
  readonly pieces: number
  /** The number of predicted ids: of texts, or of a bundle's replies (units and text). */
  readonly tokens: number
  /** The mean of -ln p(next id), in nats. */
  readonly crossEntropyBefore: number
  readonly crossEntropyAfter: number
  /** The exponential of the cross-entropy. */
  readonly perplexityBefore: number
  readonly perplexityAfter: number
  /** The mean Kullback-Leibler divergence of the new distributions from the old ones, in nats. */
  readonly divergence: number
}

type Sums = NativeDifference & { pieces: number }

async function add(
  component: NativeNetwork,
  before: NativeModel,
  after: NativeModel,
  exercises: AsyncIterable<NativeExercise>,
): Promise<Sums> {
  const sums = { pieces: 0, positions: 0, cosine: 0, units: 0, edits: 0, lossBefore: 0, lossAfter: 0, divergence: 0 }
  for await (const exercise of exercises) {
    const difference = await before.compare(component, after, exercise)
    for (const [key, value] of Object.entries(difference)) sums[key as keyof NativeDifference] += value as number
    sums.pieces++
  }
  return sums
}

export async function compareEncoders(
  before: NativeModel,
  after: NativeModel,
  exercises: AsyncIterable<NativeExercise>,
): Promise<EncoderQuality> {
  const { pieces, positions, cosine, units, edits } = await add('encoder', before, after, exercises)
  return { pieces, frames: positions, cosine: cosine / positions, units, disagreement: units > 0 ? edits / units : 0 }
}

export async function compareLanguageModels(
  before: NativeModel,
  after: NativeModel,
  exercises: AsyncIterable<NativeExercise>,
): Promise<LanguageModelQuality> {
  const { pieces, positions, lossBefore, lossAfter, divergence } = await add('lm', before, after, exercises)
  const [crossEntropyBefore, crossEntropyAfter] = [lossBefore / positions, lossAfter / positions]
  return {
    pieces,
    tokens: positions,
    crossEntropyBefore,
    crossEntropyAfter,
    perplexityBefore: Math.exp(crossEntropyBefore),
    perplexityAfter: Math.exp(crossEntropyAfter),
    divergence: divergence / positions,
  }
}
