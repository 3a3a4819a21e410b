import type { LiveEvent } from './events.js'

/** The reader is this many seconds of audio behind: nothing more is generated until it has caught up. */
const AUDIO_AHEAD = 5

/** The events between a live session and its reader, in order. */
export class EventQueue {
  #events: LiveEvent[] = []
  /** Seconds of audio in the queue. */
  #seconds = 0
  #outcome: { error: Error | undefined } | undefined
  #changed: () => void = () => undefined
  #change = this.#nextChange()

  /**
   * @param sampleRate - of the audio in the events
   * @param onAudio - called when the reader takes audio
   */
  constructor(
    private readonly sampleRate: number,
    private readonly onAudio: (turn: number, end: number) => void,
  ) {}

  push(event: LiveEvent): void {
    if (this.#outcome) return
    this.#events.push(event)
    if (event.type === 'audio') this.#seconds += event.audio.length / this.sampleRate
    this.#notify()
  }

  /** Resolves when the reader is not far behind, or at the end. */
  async room(): Promise<void> {
    while (this.#seconds > AUDIO_AHEAD && !this.#outcome) await this.#change
  }

  /** Removes the audio, text and end of a turn's reply that were not read. */
  drop(turn: number): void {
    this.#events = this.#events.filter(
      event => !((event.type === 'audio' || event.type === 'text' || event.type === 'replyEnd') && event.turn === turn),
    )
    this.#count()
    this.#notify()
  }

  /** No event comes after those in the queue, which can still be read. An error drops them. */
  end(error?: Error): void {
    if (this.#outcome) return
    this.#outcome = { error }
    if (error) this.#events = []
    this.#notify()
  }

  /** The next event; undefined at the end. */
  async next(): Promise<LiveEvent | undefined> {
    for (;;) {
      const event = this.#events.shift()
      if (event) {
        if (event.type === 'audio') this.onAudio(event.turn, event.start + event.audio.length / this.sampleRate)
        this.#count()
        this.#notify()
        return event
      }
      if (this.#outcome?.error) throw this.#outcome.error
      if (this.#outcome) return undefined
      await this.#change
    }
  }

  #count(): void {
    const audio = this.#events.reduce((sum, event) => sum + (event.type === 'audio' ? event.audio.length : 0), 0)
    this.#seconds = audio / Math.max(this.sampleRate, 1)
  }

  #nextChange(): Promise<void> {
    return new Promise(resolve => (this.#changed = resolve))
  }

  #notify(): void {
    this.#changed()
    this.#change = this.#nextChange()
  }
}
