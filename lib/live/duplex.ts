import type { AudioInput, AudioOutput } from '../audio/device.js'
import { toMossError } from '../errors.js'
import { Change } from '../engine/concurrent.js'
import type { LiveEvent } from './events.js'
import type { LiveSession } from './live-session.js'

/** What live sessions are connected with. */
export interface Devices {
  input: AudioInput
  output: AudioOutput
  /**
   * Whether the input waits while a reply is computed, so that a recording is answered as fast as it goes, but as if computing took no time:
   * a reply begins at the sample with which its turn ended, on every machine.
   */
  waits: boolean
  /** Whether the live sessions remove echo. */
  echoCancellation: boolean
  /** Called with each block of the input. */
  onInput?: (samples: Float32Array) => void
}

/**
 * Connects live sessions with a microphone and a speaker: what the microphone records is written, what is answered is played and reported as
 * played, and what is interrupted falls silent. The events are passed on; they end when the input has ended and the last reply has been
 * played.
 */
export class Duplex {
  /** Undefined while one ends and the next has not begun. */
  #live: LiveSession | undefined
  /** Is notified when a live session begins, or none will. */
  readonly #begun = new Change()
  /** The reply that was given to the speaker last, and where it begins there, in seconds. */
  #reply: { turn: number; start: number } | undefined
  #inputEnded = false
  #stopped = false
  #failure: unknown

  /** @param listen - begins a live session, at the start and for each {@link restart} */
  constructor(
    private readonly listen: () => LiveSession,
    private readonly devices: Devices,
  ) {}

  /** Whether a reply is being played. */
  get speaks(): boolean {
    const { output } = this.devices
    return output.played < output.written
  }

  /** See {@link LiveSession.commit}. */
  commit(): void {
    if (!this.#inputEnded) this.#live?.commit()
  }

  /** Stops the reply, and gives up the turn that is being spoken. */
  cancel(): void {
    this.#live?.cancel()
  }

  /** Goes on with a new live session. What is being spoken is stopped. */
  restart(): void {
    const live = this.#live
    this.#live = undefined
    void live?.close()
  }

  /** Ends everything at once. */
  stop(): void {
    this.#stopped = true
    this.devices.input.close()
    this.restart()
    this.#begun.notify()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LiveEvent, void, void> {
    const { output } = this.devices
    let hearing: Promise<void> | undefined
    try {
      while (!this.#stopped) {
        const live = (this.#live = this.listen())
        this.#reply = undefined
        live.played(0)
        this.#begun.notify()
        if (this.#inputEnded) live.end()
        hearing ??= this.#hear()
        for await (const event of live) {
          if (live !== this.#live) break
          this.#follow(event, live)
          yield event
        }
        await live.finished
        if (live !== this.#live) output.clear()
        if (this.#failure !== undefined) throw toMossError(this.#failure)
        if (this.#inputEnded) break
      }
      await output.finished()
    } finally {
      this.stop()
      await hearing
    }
  }

  async #hear(): Promise<void> {
    const { input, output, waits, onInput } = this.devices
    try {
      for await (const samples of input) {
        if (this.#stopped) break
        await output.advance(samples.length / input.sampleRate)
        onInput?.(samples)
        while (waits && !this.#live && !this.#stopped) await this.#begun.wait()
        const live = this.#live
        if (!live) continue
        if (this.#reply) live.played(Math.max(0, output.played - this.#reply.start), this.#reply.turn)
        live.write({ samples, sampleRate: input.sampleRate })
        if (waits) await live.settled()
      }
      this.#inputEnded = true
      this.#live?.end()
    } catch (thrown) {
      this.#failure = thrown
      await this.#live?.stop(toMossError(thrown))
    }
  }

  #follow(event: LiveEvent, live: LiveSession): void {
    const { output, echoCancellation } = this.devices
    if (event.type === 'interrupted') output.clear()
    if (event.type !== 'audio') return
    if (this.#reply?.turn !== event.turn) this.#reply = { turn: event.turn, start: output.written }
    output.write(event.audio)
    if (echoCancellation) live.playing(event.audio)
  }
}
