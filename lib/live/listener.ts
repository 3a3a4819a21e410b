import { SAMPLE_RATE } from '../audio/limits.js'
import type { SpeechDetector } from '../engine/speech-detector.js'
import type { TurnEndReason } from './events.js'
import { HeardTurn } from './heard-turn.js'
import { History } from './history.js'
import { InputTimes } from './input-times.js'
import type { LiveInput } from './input.js'
import type { Turns } from './options.js'
import { TurnTaker, type TurnStep } from './turn-taker.js'

/** Silence after the speech that still belongs to a turn. More is kept back until it is known whether the turn goes on. */
const MARGIN = 0.3 * SAMPLE_RATE
/** How much of the audio before the first certain window of speech the encoder hears, and how much it hears at most, when a reply may be stopped. */
const ONSET = 0.1 * SAMPLE_RATE
const LONGEST_ONSET = 0.8 * SAMPLE_RATE

/** What a listener tells. Times are in seconds of the input. */
export interface Listened {
  /** Somebody has begun to speak. `known` is how much of the input there was when this was decided. */
  onStart(turn: HeardTurn, time: number, known: number): void
  /** The turn is over. */
  onEnd(turn: HeardTurn, time: number, known: number): void
  /** A turn was to end, but nobody has spoken. */
  onNoSpeech(time: number): void
  /** Whether a reply is being generated or played. */
  readonly replying: boolean
}

/** Listens to the input: finds where turns begin and end, and passes the samples of each turn on as they come. */
export class Listener {
  readonly #history = new History()
  readonly #times = new InputTimes()
  #taker: TurnTaker | undefined
  #turn: HeardTurn | undefined
  /** The samples before this position have been passed on, or belong to an earlier turn. */
  #passed = 0
  #count = 0

  constructor(
    private readonly input: LiveInput,
    private readonly turns: Turns,
    private readonly told: Listened,
    private readonly onHeard: () => void,
  ) {}

  /** Seconds of the input so far. */
  get seconds(): number {
    return this.#history.end / SAMPLE_RATE
  }

  /** Listens until the input ends. @param detector - undefined if all samples belong to turns */
  async run(detector: SpeechDetector | undefined): Promise<void> {
    const { threshold, detection, completeAfter, silence } = this.turns
    if (detector)
      this.#taker = new TurnTaker({
        window: detector.window,
        threshold,
        pause: detection === 'auto' ? completeAfter : Infinity,
        silence: detection === 'manual' ? Infinity : silence,
      })
    for await (const item of this.input) {
      if (item.type !== 'samples') this.#endAt(item.type, item.written)
      else if (item.clears === this.input.clears) await this.#hear(item.samples, item.written, detector)
      this.onHeard()
    }
  }

  /** Gives up the turn that is being heard, after the input was cleared. */
  cancel(): void {
    this.#taker?.reset()
    this.#passed = this.#history.end
    this.#finish('cancel', this.#history.end, performance.now())
  }

  /** Ends the wait for what a turn's completeness is, when nobody can tell any more. */
  stop(): void {
    this.#turn?.dropQuestion()
  }

  async #hear(samples: Float32Array, written: number, detector: SpeechDetector | undefined): Promise<void> {
    const { clears } = this.input
    this.#history.push(samples)
    this.#times.add(this.#history.end, written)
    const probabilities = (await detector?.push(samples)) ?? []
    for (const probability of probabilities) {
      const step = await this.#take(probability, detector)
      if (clears !== this.input.clears) this.#taker?.reset()
      else if (step?.type === 'pause') await this.#ask()
      else if (step) this.#follow(step)
    }
    if (clears !== this.input.clears) return
    if (!this.#taker) this.#hearAll()
    this.#passOn()
    this.#forget()
  }

  async #take(probability: number, detector: SpeechDetector | undefined): Promise<TurnStep | undefined> {
    const { minSpeech, interruptAfter, interruptThreshold, maxTurn, preRoll, detection, bargeIn } = this.turns
    const { replying } = this.told
    const taker = this.#taker
    const most = Math.max(maxTurn - preRoll - MARGIN, MARGIN)
    const interrupts = replying && !this.#turn
    const counted = interrupts && probability < interruptThreshold ? 0 : probability
    const speech = !interrupts || (counted > 0 && (await this.#soundsLikeSpeech(detector)))
    const least = speech ? interruptAfter : Infinity
    const step = taker?.push(counted, replying ? least : minSpeech, most)
    if (!replying || bargeIn || detection === 'manual' || this.#turn) return step
    taker?.reset() // what is said during the reply is not heard
    return undefined
  }

  /** Whether the encoder hears sounds of speech in what may stop a reply. It is asked once that is long enough. */
  async #soundsLikeSpeech(detector: SpeechDetector | undefined): Promise<boolean> {
    const { interruptAfter, interruptSounds } = this.turns
    const taker = this.#taker
    if (!taker || !detector?.sounds || interruptSounds === 0) return true
    const end = taker.position + detector.window
    if (end - taker.candidate < interruptAfter) return false
    const start = Math.max(taker.candidate - ONSET, end - LONGEST_ONSET)
    return (await detector.sounds(this.#history.slice(start, end))) >= interruptSounds
  }

  /**
   * Ends the turn at a pause if it seems complete; the less it does, the longer the pause may last. What is written meanwhile waits, so that
   * the decision does not depend on how fast it comes.
   */
  async #ask(): Promise<void> {
    const { completeAfter, silence, completeness } = this.turns
    const turn = this.#turn
    const taker = this.#taker
    this.#passOn()
    const probability = await turn?.completeness()
    if (turn !== this.#turn || !taker || probability === undefined) return
    if (probability >= completeness) this.#follow(taker.complete())
    else taker.wait(completeAfter + (silence - completeAfter) * (1 - probability / completeness))
  }

  #follow(step: TurnStep): void {
    if (step.type === 'start') this.#start(step.at)
    else if (step.type === 'end') {
      this.#passOn(Math.min(step.at + MARGIN, this.#known))
      this.#finish(step.reason, step.at, performance.now())
    }
  }

  /** Without a detector, all samples belong to turns. */
  #hearAll(): void {
    const { maxTurn } = this.turns
    while (this.#history.end > this.#passed) {
      const turn = this.#turn ?? this.#start(this.#passed)
      const end = Math.min(this.#history.end, this.#passed + maxTurn - turn.length)
      this.#passOn(end)
      if (turn.length >= maxTurn) this.#finish('maxTurn', end, performance.now())
    }
  }

  #start(at: number): HeardTurn {
    const turn = (this.#turn = new HeardTurn(++this.#count))
    this.#passed = Math.max(this.#passed, at - (this.#taker ? this.turns.preRoll : 0), 0)
    this.told.onStart(turn, at / SAMPLE_RATE, this.#known / SAMPLE_RATE)
    return turn
  }

  #endAt(reason: 'commit' | 'end', written: number): void {
    const end = this.#history.end
    const speech = this.#taker?.speech
    if (this.#turn) {
      this.#passOn(speech ? Math.min(end, speech.end + MARGIN) : end)
      // The speech may go on into the last window, which is not complete.
      const goesOn = speech !== undefined && speech.end === this.#taker?.position
      this.#finish(reason, speech && !goesOn ? speech.end : end, written)
    } else if (reason === 'commit') this.told.onNoSpeech(end / SAMPLE_RATE)
    this.#taker?.reset()
  }

  #finish(reason: TurnEndReason, at: number, decided: number): void {
    const turn = this.#turn
    if (!turn) return
    this.#turn = undefined
    this.#passed = Math.max(this.#passed, at)
    turn.finish({ reason, speechEnded: Math.min(this.#times.of(at), decided), decided })
    this.told.onEnd(turn, at / SAMPLE_RATE, this.#known / SAMPLE_RATE)
  }

  /** Passes the samples of the turn on up to a position, or as far as they are known to belong to it. */
  #passOn(to?: number): void {
    const { speech, position = 0 } = this.#taker ?? {}
    if (!this.#turn) return
    const end = Math.min(to ?? (speech ? Math.min(position, speech.end + MARGIN) : 0), this.#history.end)
    if (end <= this.#passed) return
    this.#turn.add(this.#history.slice(this.#passed, end))
    this.#passed = end
  }

  /** Forgets the samples that can no longer belong to a turn. */
  #forget(): void {
    const from = this.#taker ? this.#taker.candidate - this.turns.preRoll : this.#passed
    this.#history.forgetBefore(this.#turn ? this.#passed : from)
  }

  /** The samples on which decisions are based. */
  get #known(): number {
    return this.#taker?.position ?? this.#history.end
  }
}
