/** The rate at which the networks listen, in Hz. */
export const SAMPLE_RATE = 16_000
/** The shortest speech that is accepted, in seconds: two frames of the front end. */
export const MIN_SECONDS = 0.05
/** The longest speech that is accepted, in seconds, unless the caller sets another limit. */
export const MAX_SECONDS = 300
