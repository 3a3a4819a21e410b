import type { NativeDifference, NativeExercise, NativeModel, NativeNetwork } from '../binding.js'

/** What a pruned encoder hears, against the encoder as it was, on what was held out. */
export interface EncoderQuality {
  readonly pieces: number
  /** Of 20 ms, as a rule. */
  readonly frames: number
  /** Cosine similarity of the hidden states, mean over the frames; 1 before. */
  readonly cosine: number
  /** Of a CTC head: units (sounds, letters) that the encoder as it was hears. 0 without a head. */
  readonly units: number
  /** Insertions, deletions and substitutions from these to what the pruned one hears, for each of them; 0 before. */
  readonly disagreement: number
}

/** How a pruned language model predicts, and how it did before, on what was held out. */
export interface LanguageModelQuality {
  readonly pieces: number
  /** Ids that were predicted: of texts, or of a bundle's replies (units and text). */
  readonly tokens: number
  /** Mean of -ln p(next id), in nats. */
  readonly crossEntropyBefore: number
  readonly crossEntropyAfter: number
  /** Its exponential. */
  readonly perplexityBefore: number
  readonly perplexityAfter: number
  /** Kullback-Leibler divergence of the new distributions from the old ones, mean in nats. */
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
