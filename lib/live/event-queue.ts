import type { Change } from '../engine/concurrent.js'
import type { LiveEvent } from './events.js'

/** The reader is this many seconds of audio behind: nothing more is generated until it has caught up. */
const AUDIO_AHEAD = 5

/** The events between a live session and its reader, in order. */
export class EventQueue {
  #events: LiveEvent[] = []
  /** Seconds of audio in the queue. */
  #seconds = 0
  #outcome: { error: Error | undefined } | undefined
  /** Whether the reader waits for an event. */
  #asked = false

  /**
   * @param change - is notified of every change, and waited for
   * @param sampleRate - of the audio in the events
   * @param onAudio - called when the reader takes audio
   */
  constructor(
    private readonly change: Change,
    private readonly sampleRate: number,
    private readonly onAudio: (turn: number, end: number) => void,
  ) {}

  /** Whether the reader has had all events, and asks for more. */
  get idle(): boolean {
    return this.#asked && this.#events.length === 0
  }

  push(event: LiveEvent): void {
    if (this.#outcome) return
    this.#events.push(event)
    if (event.type === 'audio') this.#seconds += event.audio.length / this.sampleRate
    this.change.notify()
  }

  /** Resolves when the reader is not far behind, or at the end. */
  async room(): Promise<void> {
    while (this.#seconds > AUDIO_AHEAD && !this.#outcome) await this.change.wait()
  }

  /** Removes the audio, text and end of a turn's reply that were not read. */
  drop(turn: number): void {
    this.#events = this.#events.filter(
      event => !((event.type === 'audio' || event.type === 'text' || event.type === 'replyEnd') && event.turn === turn),
    )
    this.#count()
    this.change.notify()
  }

  /** No event comes after those in the queue, which can still be read. An error drops them. */
  end(error?: Error): void {
    if (this.#outcome) return
    this.#outcome = { error }
    if (error) this.#events = []
    this.change.notify()
  }

  /** The next event; undefined at the end. */
  async next(): Promise<LiveEvent | undefined> {
    for (;;) {
      const event = this.#events.shift()
      if (event) {
        this.#asked = false
        if (event.type === 'audio') this.onAudio(event.turn, event.start + event.audio.length / this.sampleRate)
        this.#count()
        this.change.notify()
        return event
      }
      if (this.#outcome?.error) throw this.#outcome.error
      if (this.#outcome) return undefined
      if (!this.#asked) {
        this.#asked = true
        this.change.notify()
      }
      await this.change.wait()
    }
  }

  #count(): void {
    const audio = this.#events.reduce((sum, event) => sum + (event.type === 'audio' ? event.audio.length : 0), 0)
    this.#seconds = audio / Math.max(this.sampleRate, 1)
  }
}
