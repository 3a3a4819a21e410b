import type { LiveEvent, Model } from '../lib/index.js'
import { heardJson, heardLine, roundSeconds, warnOfCut } from './commands/shared.js'
import { levelBar } from './level.js'
import type { ReplyFlags } from './options.js'
import { Line, say } from './output.js'
import { PartialTranscript } from './partial-transcript.js'
import { progress } from './progress.js'
import type { OutputFlags } from './speech-output.js'
import { print } from './stdout.js'

/** The level is shown every so many blocks of the input: ten times a second. */
const BLOCKS_A_LEVEL = 5
/** The most characters of what is being said that are shown. */
const SHOWN = 40

/** Tells what happens in a conversation: lines for people with a status line below, or JSON. */
export class TalkLog {
  #blocks = 0
  /** The reply that is being written. */
  #line: Line | undefined
  #listening = 'listening'
  /** Only where the status line is shown. */
  readonly #partial: PartialTranscript | undefined
  /** Seconds of the input from the end of the speech to the decision that the turn was over. */
  #decision = 0

  constructor(
    private readonly model: Model,
    private readonly flags: ReplyFlags & OutputFlags,
  ) {
    if (process.stderr.isTTY) this.#partial = new PartialTranscript(model)
  }

  /** Shows how loud the input is, and what goes on. */
  level(samples: Float32Array, speaks: boolean): void {
    this.#partial?.push(samples)
    if (this.#blocks++ % BLOCKS_A_LEVEL > 0 || this.#line) return
    const text = this.#partial?.text.slice(-SHOWN) ?? ''
    progress(`${levelBar(samples)} ${speaks ? 'speaking' : this.#listening}${text && `: ${text}`}`)
  }

  /** A line for people about something that is no event. */
  note(text: string): void {
    progress()
    if (!this.flags.json) void say(text, this.flags).catch(() => undefined)
  }

  async tell(event: LiveEvent): Promise<void> {
    if (event.type === 'speechStart') {
      this.#listening = 'hearing you'
      this.#partial?.begin()
    }
    if (event.type === 'turnEnd') {
      this.#listening = event.reason === 'cancel' ? 'listening' : 'thinking'
      this.#decision = event.decided - event.time
      this.#partial?.end()
    }
    if (event.type === 'replyEnd' || event.type === 'noSpeech') this.#listening = 'listening'
    if (this.flags.json) await print(`${JSON.stringify(eventJson(event))}\n`)
    else await this.#tellPeople(event)
    if (event.type === 'replyEnd') warnOfCut(event.reply, this.model, this.flags)
  }

  async end(): Promise<void> {
    await this.#line?.end()
    this.#line = undefined
    progress()
  }

  async #tellPeople(event: LiveEvent): Promise<void> {
    switch (event.type) {
      case 'heard':
        return this.#say(heardLine(event.heard))
      case 'text':
        if (!this.#line) {
          this.#line = new Line(this.flags)
          await this.#line.write('reply  ')
        }
        return this.#line.write(event.text)
      case 'replyEnd':
        return this.#say(`       ${latency(this.#decision, event.timings.answerMs / 1000)}`)
      case 'interrupted':
        return this.#say(`       interrupted after ${event.played.toFixed(1)} s`)
      case 'shortened':
        return this.#say(`       remembered: ${event.text || 'nothing'}`)
      case 'speechStart':
      case 'turnEnd':
      case 'noSpeech':
      case 'audio':
        return
    }
  }

  async #say(line: string): Promise<void> {
    await this.end()
    await say(line, this.flags)
  }
}

/** `answered 0.71 s after you: 0.61 s to be sure that you had finished, 0.10 s to answer`. */
function latency(decision: number, answer: number): string {
  const parts = `${decision.toFixed(2)} s to be sure that you had finished, ${answer.toFixed(2)} s to answer`
  return `answered ${(decision + answer).toFixed(2)} s after you: ${parts}`
}

/** An event as `--json` prints it: without samples. */
function eventJson(event: LiveEvent): object {
  if (event.type === 'audio') {
    const { type, turn, start, audio } = event
    return { type, turn, start: roundSeconds(start), samples: audio.length }
  }
  return event.type === 'heard' ? { ...event, heard: heardJson(event.heard) } : event
}
