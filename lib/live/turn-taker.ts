/** What the windows of the voice activity network say: speech has begun, paused or ended at a sample of the input. */
export type TurnStep =
  { type: 'start' | 'pause'; at: number } | { type: 'end'; at: number; reason: 'complete' | 'silence' | 'maxTurn' }

/** Times are in samples. */
export interface TurnRules {
  /** Samples of a window. */
  window: number
  threshold: number
  /** A pause of this length is told once; infinite if nobody asks whether the turn is complete. */
  pause: number
  /** A pause of this length ends the turn; infinite if only the caller ends turns. */
  silence: number
}

/**
 * Finds the turns of a stream from the probabilities of its windows. A run of windows with at least half of the threshold, one of them with
 * the whole threshold, is speech when it is long enough; the rule is that of native/core/hearing/voice_activity.h.
 */
export class TurnTaker {
  /** The samples of the windows so far. */
  #position = 0
  /** A run of windows that may become speech. */
  #run: { start: number; certain: boolean } | undefined
  #speech: { start: number; end: number; paused: boolean; silence: number } | undefined

  constructor(private readonly rules: TurnRules) {}

  get position(): number {
    return this.#position
  }

  /** The speech of the current turn: its start, and the end of the last window with speech. */
  get speech(): Readonly<{ start: number; end: number }> | undefined {
    return this.#speech
  }

  /** The first sample that may belong to a turn that has not begun yet. */
  get candidate(): number {
    return this.#run?.start ?? this.#position
  }

  /**
   * Takes the probability of the next window.
   *
   * @param least - the length of a run that begins a turn
   * @param most - the length at which a turn ends, from the start of its speech
   */
  push(probability: number, least: number, most: number): TurnStep | undefined {
    const { window, threshold, pause, silence } = this.rules
    const start = this.#position
    this.#position += window
    const speaks = probability >= threshold / 2
    if (this.#speech) {
      const speech = this.#speech
      if (speaks) Object.assign(speech, { end: this.#position, paused: false, silence })
      if (this.#position - speech.start >= most) return this.#endAt('maxTurn')
      const silent = this.#position - speech.end
      if (silent >= speech.silence) return this.#endAt('silence')
      if (silent < pause || speech.paused) return undefined
      speech.paused = true
      return { type: 'pause', at: speech.end }
    }
    if (!speaks) {
      this.#run = undefined
      return undefined
    }
    const run = (this.#run ??= { start, certain: false })
    run.certain ||= probability >= threshold
    if (!run.certain || this.#position - run.start < least) return undefined
    this.#run = undefined
    this.#speech = { start: run.start, end: this.#position, paused: false, silence }
    return { type: 'start', at: run.start }
  }

  /** Ends the turn at a pause, because it is complete. */
  complete(): TurnStep {
    return this.#endAt('complete')
  }

  /** Lets the pause that was told end the turn when it has this length. */
  wait(silence: number): void {
    if (this.#speech) this.#speech.silence = silence
  }

  /** Ends the turn, or forgets what may have become one. */
  reset(): void {
    this.#speech = this.#run = undefined
  }

  #endAt(reason: 'complete' | 'silence' | 'maxTurn'): TurnStep {
    const at = this.#speech?.end ?? this.#position
    this.reset()
    return { type: 'end', at, reason }
  }
}
