/** A reply of which less than this is missing has been played: players report in whole periods. */
const TOLERANCE = 0.05 // seconds

/** How much of a reply has been generated, read by the caller, and played. Times are in seconds of its audio. */
export class ReplyProgress {
  #generated = 0
  #read = 0
  #played: number | undefined
  /** Whether the whole reply has been generated. */
  ended = false
  /** Whether it was stopped. */
  interrupted = false

  /** @param turn - the number of the turn that is answered */
  constructor(readonly turn: number) {}

  /** Adds audio, and returns the time at which it begins. */
  add(seconds: number): number {
    const start = this.#generated
    this.#generated += seconds
    return start
  }

  /** The caller has read the audio until then. */
  read(until: number): void {
    this.#read = Math.max(this.#read, until)
  }

  /** The player has played the reply until then. */
  play(until: number): void {
    this.#played = Math.max(this.#played ?? 0, Math.min(until, this.#read))
  }

  /** What was heard of the reply. If the player tells nothing, that is all that the caller has read. */
  get heard(): number {
    return this.#played ?? this.#read
  }

  /**
   * Whether there is something to interrupt.
   *
   * @param reports - whether the caller tells what was played
   */
  goesOn(reports: boolean): boolean {
    if (this.interrupted) return false
    return !this.ended || (reports && (this.#played ?? 0) < this.#generated - TOLERANCE)
  }
}
