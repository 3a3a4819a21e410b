/** The rate at which the networks listen, in Hz. */
export const SAMPLE_RATE = 16_000
/** The shortest speech that is accepted, in seconds: two frames of the front end. */
export const MIN_SECONDS = 0.05
/** Samples that the event loop's thread checks or converts at once: a millisecond or so, also before the code has been compiled. */
export const SAMPLES_AT_ONCE = 1 << 15
/** Values that it copies at once: a millisecond or so. */
export const COPIED_AT_ONCE = 1 << 20
/** The longest speech that is accepted, in seconds, unless the caller sets another limit. */
export const MAX_SECONDS = 300
