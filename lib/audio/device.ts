/** A microphone, or a recording in its place. */
export interface AudioInput extends AsyncIterable<Float32Array> {
  /** Hz, of the samples. */
  readonly sampleRate: number
  /** Ends the samples. Idempotent. */
  close(): void
}

/** A speaker, or a file in its place. All times are seconds of the audio that was written. */
export interface AudioOutput {
  /** Plays mono samples in [-1, 1] after those that were written before. @throws {@link AudioDeviceError} the device has failed */
  write(samples: Float32Array): void
  /** The time at which the next samples that are written begin. */
  readonly written: number
  /** How much has been played. */
  readonly played: number
  /** The input has become longer by this many seconds. A file lasts as long as the input; a speaker has a clock of its own. */
  advance(seconds: number): Promise<void>
  /** Falls silent at once: what has not been played is dropped, and `written` goes back to `played`. */
  clear(): void
  /** Resolves when all that was written has been played. Rejects if the device fails. */
  finished(): Promise<void>
  /** Frees the device, which falls silent. Idempotent. */
  close(): void
}
