import type { Answering, Engine, FedTurn } from '../engine/engine.js'
import type { ReplyChunk } from '../turn.js'
import type { Change } from '../engine/concurrent.js'
import type { EventQueue } from './event-queue.js'
import type { LiveTimings } from './events.js'
import type { HeardTurn, TurnEnd } from './heard-turn.js'
import { Observation } from '../telemetry.js'
import { ReplyProgress } from './reply-progress.js'

/** A reply, the turn that it answers, and the engine's side of it. */
interface Current {
  turn: HeardTurn
  fed: FedTurn
  progress: ReplyProgress
}

/** What is to be done, one after the other. */
interface Task {
  /** The turn that is heard and answered; undefined if a reply is shortened. */
  turn?: HeardTurn
  run(): Promise<void>
}

/** Hears and answers the turns of a live session, one after the other, on one engine. */
export class Responder {
  /** The first one is being done. */
  #tasks: Task[] = []
  #closed = false
  #wake: () => void = () => undefined
  #current: Current | undefined
  /** A turn of whose reply nothing was heard. The next turn goes on with it. */
  #unanswered: HeardTurn | undefined
  /** Whether the caller tells what was played. */
  #reports = false
  #waiting: HeardTurn[] = []

  constructor(
    private readonly engine: Engine,
    private readonly answering: Answering,
    private readonly sampleRate: number,
    private readonly events: EventQueue,
    private readonly signal: AbortSignal,
    /** Is notified when there is nothing left to do. */
    private readonly change: Change,
    private readonly onFed: () => void,
  ) {}

  /** Whether nothing is to be done before the current turn of the user ends. */
  get idle(): boolean {
    return this.#tasks.every(({ turn }) => turn !== undefined && turn.end === undefined)
  }

  /** Whether a turn waits for its reply, or the reply is generated or played. */
  get replying(): boolean {
    return this.#pending !== undefined || (this.#current?.progress.goesOn(this.#reports) ?? false)
  }

  /** The first turn that has ended and was not answered to the end of its reply. */
  get #pending(): HeardTurn | undefined {
    const [next] = this.#waiting
    return next?.end && next.end.reason !== 'cancel' ? next : undefined
  }

  /** Samples of turns that were not fed yet. */
  get unread(): number {
    return this.#waiting.reduce((sum, turn) => sum + turn.unread, 0)
  }

  /** Runs until {@link close} was called and all turns are answered, or until a turn fails. */
  async run(): Promise<void> {
    for (;;) {
      const [task] = this.#tasks
      if (task) {
        await task.run()
        this.#tasks.shift()
        this.change.notify()
      } else if (this.#closed) return
      else await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  /** There are no more turns. */
  close(): void {
    this.#closed = true
    this.#wake()
  }

  /** Hears and answers a turn, after those before it. */
  take(turn: HeardTurn): void {
    this.#waiting.push(turn)
    const run = async (): Promise<void> => {
      try {
        await this.#answer(turn)
      } finally {
        this.#waiting.shift()
      }
    }
    this.#add({ turn, run })
  }

  /** The player has played the current reply until then. @param turn - ignored unless it is that of the current reply */
  play(seconds: number, turn?: number): void {
    this.#reports = true
    const progress = this.#current?.progress
    if (progress && (turn === undefined || turn === progress.turn)) progress.play(seconds)
  }

  /** The caller has read audio. */
  read(turn: number, until: number): void {
    if (this.#current?.turn.number === turn) this.#current.progress.read(until)
  }

  /** Stops the reply, if there is one. Returns whether there was. @param time - seconds of the input */
  interrupt(time: number): boolean {
    const current = this.#current
    const next = this.#pending
    if (current?.progress.goesOn(this.#reports)) {
      const { progress, turn, fed } = current
      progress.interrupted = true
      this.events.drop(turn.number)
      this.events.push({ type: 'interrupted', turn: turn.number, time, played: progress.heard })
      if (progress.ended) this.#add({ run: () => this.#shorten(current) })
      else fed.stop()
      return true
    }
    if (next && next !== current?.turn && !next.withdrawn) {
      next.withdrawn = true
      this.events.push({ type: 'interrupted', turn: next.number, time, played: 0 })
      return true
    }
    return false
  }

  #add(task: Task): void {
    this.#tasks.push(task)
    this.#wake()
  }

  async #answer(turn: HeardTurn): Promise<void> {
    if (turn.end?.reason === 'cancel') return
    const fed = await this.engine.begin(this.answering, this.signal)
    if (this.#unanswered) turn.continueFrom(this.#unanswered)
    this.#unanswered = undefined
    for await (const next of turn) {
      if (next instanceof Float32Array) await fed.feed(next)
      else next.answer(await fed.completeness?.())
      this.onFed()
    }
    const { end } = turn
    if (!end || end.reason === 'cancel') fed.abandon()
    else if (turn.withdrawn) {
      fed.abandon()
      this.#goOnWith(turn)
    } else await this.#reply({ turn, fed, progress: new ReplyProgress(turn.number) }, end)
  }

  async #reply(current: Current, end: TurnEnd): Promise<void> {
    const { turn, fed, progress } = (this.#current = current)
    const chunks = fed.finish()
    const observation = new Observation('turn', end.speechEnded)
    const decisionMs = end.decided - end.speechEnded
    let first: number | undefined
    try {
      for (;;) {
        const step = await chunks.next()
        if (progress.interrupted) break
        if (step.done) {
          progress.ended = true
          const answerMs = (first ?? performance.now()) - end.decided
          const timings = { ...step.value.timings, decisionMs, answerMs }
          observation.end(timings)
          this.#end(turn, step.value, timings)
          return
        }
        if (this.#tell(step.value, progress)) first ??= performance.now()
        await this.events.room()
      }
    } catch (thrown) {
      if (!progress.interrupted || this.signal.aborted) {
        observation.fail(thrown)
        throw thrown
      }
    } finally {
      await chunks.return(undefined as never).catch(() => undefined)
    }
    observation.end({ decisionMs }, 'stopped')
    await this.#shorten(current)
  }

  /** Tells what a chunk holds. Returns whether that is what was asked for: audio, or the text of a written reply. */
  #tell({ heard, audio, text }: ReplyChunk, progress: ReplyProgress): boolean {
    const { turn } = progress
    if (heard && !heard.noSpeech) this.events.push({ type: 'heard', turn, heard })
    if (text) this.events.push({ type: 'text', turn, text })
    if (!audio) return this.answering.output === 'text' && text !== undefined
    const start = progress.add(audio.length / this.sampleRate)
    this.events.push({ type: 'audio', turn, audio, start })
    return true
  }

  #end(turn: HeardTurn, { timings: _, ...reply }: Ended, timings: LiveTimings): void {
    if (reply.finishReason === 'noSpeech') this.events.push({ type: 'noSpeech', time: timings.inputSeconds })
    else this.events.push({ type: 'replyEnd', turn: turn.number, reply, timings })
  }

  async #shorten({ turn, fed, progress }: Current): Promise<void> {
    const { all, text } = await fed.shorten(progress.heard)
    if (!all && text === '' && progress.heard === 0) this.#goOnWith(turn)
    else this.events.push({ type: 'shortened', turn: turn.number, text })
  }

  /** The next turn goes on with this one, of whose reply nothing was heard. */
  #goOnWith(turn: HeardTurn): void {
    this.#unanswered = turn
    this.events.push({ type: 'shortened', turn: turn.number, text: '' })
  }
}

type Ended =
  Awaited<ReturnType<ReturnType<FedTurn['finish']>['next']>> extends infer Step
    ? Step extends { done: true; value: infer V }
      ? V
      : never
    : never
