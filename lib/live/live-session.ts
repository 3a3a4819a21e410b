import { EventEmitter } from 'node:events'
import { ReadableStream, WritableStream } from 'node:stream/web'
import { EchoCanceller } from '../audio/echo-canceller.js'
import { SAMPLE_RATE } from '../audio/limits.js'
import type { Answering, Engine } from '../engine/engine.js'
import type { SpeechDetector } from '../engine/speech-detector.js'
import { AbortedError, abortedBy, InvalidArgumentError, NotKeptError, toMossError } from '../errors.js'
import { checkInteger, checkNumber } from '../options.js'
import { follow } from '../weak.js'
import { Change } from '../engine/concurrent.js'
import { EventQueue } from './event-queue.js'
import type { LiveEvent } from './events.js'
import { LiveInput, toFloats, toMono, type LiveAudio } from './input.js'
import { Listener } from './listener.js'
import type { TurnDetection, Turns } from './options.js'
import { Responder } from './responder.js'

/** `write` asks for a pause when this much audio waits. */
const HIGH_WATER = 2 // seconds
/** It may go on when no more than this waits. */
const LOW_WATER = 1 // second

/** What a live session is made of. @internal */
export interface LiveParts {
  engine: Engine
  answering: Answering
  turns: Turns
  /** Hz, of the replies; 0 if nothing is spoken. */
  sampleRate: number
  detector: () => Promise<SpeechDetector>
  signal: AbortSignal | undefined
  /** Called once, when the live session no longer uses the engine. */
  onEnd: () => void
}

/**
 * A spoken conversation as it happens: audio is written while it is recorded, and the events are what is heard and answered. Made by
 * {@link Session.listen}; docs/live.md describes it.
 *
 *     const live = session.listen()
 *     microphone.on('data', samples => live.write(samples))
 *     for await (const event of live) if (event.type === 'audio') player.write(event.audio)
 *
 * Every sample is encoded when it comes, so that little is left to do when a turn ends. The loop over the events ends after {@link end} and
 * the last reply; leaving it early is {@link close}. It emits `drain`, as Node's streams do, when {@link write} has asked for a pause and
 * may go on.
 */
export class LiveSession extends EventEmitter<{ drain: [] }> implements AsyncIterable<LiveEvent> {
  readonly #parts: LiveParts
  readonly #change = new Change()
  readonly #echo: EchoCanceller | undefined
  readonly #input: LiveInput
  readonly #abort = new AbortController()
  readonly #events: EventQueue
  readonly #listener: Listener
  readonly #responder: Responder
  readonly #finished: Promise<void>
  #unfollow: () => void = () => undefined
  #closing: Promise<void> | undefined
  #full = false
  #ended = false
  #taken = false
  #readable: ReadableStream<LiveEvent> | undefined
  #writable: WritableStream<LiveAudio> | undefined

  /** @internal */
  constructor(parts: LiveParts) {
    super()
    this.#parts = parts
    const { engine, answering, turns, sampleRate, signal } = parts
    const drained = (): void => this.#drain()
    this.#echo = turns.echoCancellation ? new EchoCanceller() : undefined
    this.#input = new LiveInput(this.#change, this.#echo)
    this.#events = new EventQueue(this.#change, sampleRate, (turn, end) => this.#responder.read(turn, end))
    const { signal: ending } = this.#abort
    this.#responder = new Responder(engine, answering, sampleRate, this.#events, ending, this.#change, drained)
    this.#listener = new Listener(this.#input, turns, this.#listened(), drained)
    if (signal) this.#unfollow = follow(this.#abort, signal)
    this.#abort.signal.addEventListener('abort', () => this.#stop(), { once: true })
    this.#finished = this.#run()
    this.#finished.catch(() => undefined) // whoever reads the events gets the error
    if (signal?.aborted) this.#abort.abort(signal.reason)
  }

  /**
   * Takes the next samples of the microphone, any number of them: mono, floats in [-1, 1] or 16-bit integers, at 16 kHz, or with their rate
   * (`{ samples, sampleRate }`), which is then the same in all calls. They are copied.
   *
   * @returns false if more audio waits than is heard in two seconds: it is well to wait for `drain` then
   * @throws {@link InvalidArgumentError} the samples are not numbers, or the rate has changed; {@link DisposedError} the live session
   * has ended
   */
  write(audio: LiveAudio): boolean {
    this.#input.write(audio)
    this.#full = this.#waiting > HIGH_WATER
    return !this.#full
  }

  /** Push-to-talk: the turn ends with what has been written, and is answered. If nobody has spoken, there is a `noSpeech` event. */
  commit(): void {
    this.#input.commit()
  }

  /** Gives up the turn that is being spoken, and stops the reply, as an interruption does. */
  cancel(): void {
    this.#input.clear()
    this.#interrupt(this.#listener.seconds)
    this.#listener.cancel()
    this.#drain()
  }

  /**
   * The player has played the reply until then, in seconds of its audio. After an interruption the conversation holds only that; if this
   * was never called, it holds all audio that was read from the events.
   *
   * @param turn - the `turn` of the audio that was played; if it is not the last reply's, the call does nothing
   * @throws {@link InvalidArgumentError}
   */
  played(seconds: number, turn?: number): void {
    const until = checkNumber('seconds', seconds, 0, 1e9) ?? 0
    this.#responder.play(until, checkInteger('turn', turn, 1, Number.MAX_SAFE_INTEGER))
  }

  /**
   * For `echoCancellation`: the player has been given these samples now, and plays them after those that it was given before. Call it when
   * you pass an `audio` event on, and with any other sound that the microphone can hear. The canceller finds the delay between player and
   * microphone by itself, up to about half a second. After an `interrupted` event, and after {@link cancel}, it takes the player to be silent.
   *
   * @param audio - mono, floats in [-1, 1] or 16-bit integers at `model.info().sampleRate`, or with their rate. They are copied.
   * @throws {@link InvalidArgumentError} also without `echoCancellation: true`
   */
  playing(audio: LiveAudio): void {
    if (!this.#echo)
      throw new InvalidArgumentError('playing() is for echoCancellation: true, which was not asked for', {
        option: 'echoCancellation',
      })
    const { samples, rate } = toMono(audio, this.#parts.sampleRate)
    this.#input.play(toFloats(samples), rate)
  }

  /**
   * Resolves when all that was written has been heard, the replies that are due have been generated, and all events have been read, in
   * a loop that goes on beside this. Who writes a recording as fast as it goes, and waits for this after each block, gets the same
   * conversation on every machine. Resolves, too, when the live session has ended.
   */
  async settled(): Promise<void> {
    while (!this.#ended && !(this.#input.idle && this.#responder.idle && this.#events.idle)) await this.#change.wait()
  }

  /** There is no more input. The turn that is being spoken ends, and is answered; then the events end. */
  end(): void {
    this.#input.end()
  }

  /**
   * Stops at once: no more events; the conversation holds what was played of the reply; the session is free when the promise has
   * resolved. Idempotent. Never rejects.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Who decides where turns end: `vad` in place of `auto` with a model that cannot tell whether a turn is complete. */
  get turnDetection(): TurnDetection {
    return this.#parts.turns.detection
  }

  /** Resolves when the live session has ended and the session is free. Rejects with the error that ended it. */
  get finished(): Promise<void> {
    return this.#finished
  }

  /** The events, in order, for one reader. @throws the error that ended the live session */
  async *[Symbol.asyncIterator](): AsyncGenerator<LiveEvent, void, void> {
    this.#takeEvents()
    try {
      for (let event = await this.#events.next(); event; event = await this.#events.next()) yield event
    } finally {
      await this.close()
    }
  }

  /** The events as a Web stream, in place of a loop. Cancelling it is {@link close}. */
  get readable(): ReadableStream<LiveEvent> {
    if (this.#readable) return this.#readable
    this.#takeEvents()
    return (this.#readable = new ReadableStream<LiveEvent>(
      {
        pull: async controller => {
          const event = await this.#events.next()
          if (event) controller.enqueue(event)
          else controller.close()
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 0 },
    ))
  }

  /** Takes audio as {@link write} does, as a Web stream. Closing it is {@link end}, aborting it {@link close}. */
  get writable(): WritableStream<LiveAudio> {
    return (this.#writable ??= new WritableStream<LiveAudio>({
      write: async audio => {
        if (!this.write(audio)) await this.#drained()
      },
      close: () => this.end(),
      abort: () => this.close(),
    }))
  }

  /** Ends with an error, whatever is going on. Resolves when the session is free. @internal */
  async stop(error: Error): Promise<void> {
    this.#abort.abort(error)
    await this.#finished.catch(() => undefined)
  }

  async #run(): Promise<void> {
    let error: Error | undefined
    try {
      await this.#converse()
    } catch (thrown) {
      error = this.#abort.signal.aborted ? this.#reason : toMossError(thrown)
    } finally {
      this.#unfollow()
      this.#ended = true
      this.#input.close(error)
      this.#events.end(error)
      this.#echo?.close()
      this.#drain()
      this.#parts.onEnd()
    }
    if (error) throw error
  }

  async #converse(): Promise<void> {
    const { detects } = this.#parts.turns
    const detector = detects ? await this.#parts.detector() : undefined
    const responding = this.#responder.run()
    responding.catch((thrown: unknown) => this.#abort.abort(toMossError(thrown)))
    try {
      await this.#listener.run(detector)
    } catch (thrown) {
      this.#abort.abort(toMossError(thrown))
    } finally {
      detector?.dispose()
      this.#responder.close()
    }
    await responding
    if (this.#abort.signal.aborted) throw this.#reason
  }

  #stop(): void {
    this.#input.close(this.#reason)
    this.#listener.stop()
  }

  async #close(): Promise<void> {
    this.#events.end()
    this.cancel()
    this.#input.close(undefined)
    await this.#finished.catch(() => undefined)
  }

  /** @param time - seconds of the input */
  #interrupt(time: number): void {
    if (this.#responder.interrupt(time)) this.#input.silence()
  }

  /** What the listener tells. */
  #listened(): ConstructorParameters<typeof Listener>[2] {
    const responder = this.#responder
    const { bargeIn } = this.#parts.turns
    return {
      get replying() {
        return responder.replying
      },
      onStart: (turn, time, known) => {
        if (bargeIn) this.#interrupt(known)
        this.#events.push({ type: 'speechStart', turn: turn.number, time })
        responder.take(turn)
      },
      onEnd: (turn, time, known) => {
        const reason = turn.end?.reason ?? 'end'
        this.#events.push({ type: 'turnEnd', turn: turn.number, time, decided: known, reason })
      },
      onNoSpeech: time => this.#events.push({ type: 'noSpeech', time }),
    }
  }

  /** The error of an abort: a typed one that was the reason for it, or that of the caller's signal. */
  get #reason(): Error {
    const { signal } = this.#abort
    if (this.#parts.signal?.aborted) return abortedBy(this.#parts.signal)
    return signal.reason instanceof Error ? toMossError(signal.reason) : new AbortedError()
  }

  #takeEvents(): void {
    if (this.#taken) throw new NotKeptError('the events of this live session are read by another loop or stream')
    this.#taken = true
  }

  /** Seconds of audio that were written and not heard yet. */
  get #waiting(): number {
    return this.#input.waitingSeconds + this.#responder.unread / SAMPLE_RATE
  }

  #drain(): void {
    if (!this.#full || this.#waiting > LOW_WATER) return
    this.#full = false
    this.emit('drain')
  }

  #drained(): Promise<void> {
    return new Promise(resolve => (this.#full ? this.once('drain', resolve) : resolve()))
  }
}
