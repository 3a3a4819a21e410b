/** The rate at which the networks listen, in Hz. */
export const SAMPLE_RATE = 16_000
/** The shortest speech that is accepted, in seconds: two frames of the front end. */
export const MIN_SECONDS = 0.05
/**
 * How many samples the main thread checks or converts without a break. That takes about a millisecond, even in code
 * that has not been optimized.
 */
export const SAMPLES_AT_ONCE = 1 << 15
/** How many values the main thread copies without a break. That takes about a millisecond. */
export const COPIED_AT_ONCE = 1 << 20
/** The longest speech that is accepted, in seconds, unless the caller sets another limit. */
export const MAX_SECONDS = 300
