const STEPS = 12
/** The level of the lowest and of the highest step, in dB below full scale. */
const [LOWEST, HIGHEST] = [-60, -6]

/** How loud samples are, as a bar: `▮▮▮▮▮▯▯▯▯▯▯▯`. */
export function levelBar(samples: Float32Array): string {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(samples.length, 1)
  const share = (10 * Math.log10(power + 1e-12) - LOWEST) / (HIGHEST - LOWEST)
  const lit = Math.max(0, Math.min(STEPS, Math.round(share * STEPS)))
  return '▮'.repeat(lit) + '▯'.repeat(STEPS - lit)
}
